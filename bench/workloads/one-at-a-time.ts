import { Bed } from "../bed.ts";
import { oneByOne, quantile } from "../measure.ts";
import { order } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const WARM_RUNS = 100;
const RUNS = 1_000;

export const oneAtATime: Workload = {
  name: "c1",
  about: "runs of five steps, one at a time: from start() to its result",
  metrics: [
    { key: "p50Ms", label: "p50", unit: "ms" },
    { key: "p99Ms", label: "p99", unit: "ms" },
    { key: "ratio", label: "p50, in raw commits of 1 row", unit: "×", atMost: { postgres: 7 } },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const { client } = bed;
  await bed.work([order]);
  const run = async (id: string): Promise<object> => (await client.start(order, null, { id })).result();
  await bed.untilSteady(() => oneByOne(WARM_RUNS, async () => (await client.start(order, null)).result()));
  const { result: latencies, commitsPerS } = await bed.besideRaw(1, () =>
    oneByOne(scaled(RUNS, place), (no) => run(`${place.seed}-${no}`)),
  );
  const p50Ms = quantile(latencies, 0.5);
  return { p50Ms, p99Ms: quantile(latencies, 0.99), ratio: (p50Ms * commitsPerS) / 1000 };
}
