import { Bed } from "../bed.ts";
import { sideBySide, until } from "../measure.ts";
import { singleWith } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const RUNS = 10_000;

export const backlog: Workload = {
  name: "backlog",
  about: "10,000 runs of one step are started before there is a worker, then drained",
  metrics: [
    { key: "startsPerS", label: "starts, 100 calls at a time", unit: "/s" },
    { key: "runsPerS", label: "runs drained", unit: "/s" },
    { key: "drainMs", label: "until all are completed", unit: "ms" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const { client, store } = bed;
  const count = scaled(RUNS, place);
  let bodies = 0;
  const single = singleWith(() => {
    bodies += 1;
  });
  const starts = await sideBySide({ width: 100, isOver: (begun) => begun >= count }, (no) =>
    client.start(single, null, { id: `${place.seed}-${no}` }),
  );
  const startedAt = performance.now();
  await bed.work([single]);
  await until(() => bodies >= count); // so that the store is not asked meanwhile
  await until(async () => (await store.count({ status: ["ready", "running"] })) === 0);
  const drainMs = performance.now() - startedAt;
  return { startsPerS: (count / starts.ms) * 1000, runsPerS: (count / drainMs) * 1000, drainMs };
}
