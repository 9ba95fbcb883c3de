import { Bed } from "../bed.ts";
import { insist, sideBySide, until } from "../measure.ts";
import { listenersTo } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const EVENTS = 10_000;
const WIDTH = 100;

export const events: Workload = {
  name: "events",
  about: "10,000 events, 100 calls at a time, each of which starts a run of one step of three workflows",
  metrics: [
    {
      key: "emitsPerS",
      label: "accepted, with the runs that they start, while runs are executed",
      unit: "/s",
    },
    { key: "endedMs", label: "from the first until all 30,000 runs have ended", unit: "ms" },
    { key: "runsPerS", label: "runs started and ended", unit: "/s" },
    { key: "rawRowsPerS", label: "raw rows, 100 a commit", unit: "/s" },
    { key: "ofRaw", label: "runs, of the raw rows", unit: "×" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  let bodies = 0;
  const listeners = listenersTo("cart:checked-out", () => {
    bodies += 1;
  });
  await bed.work(listeners, WIDTH);
  const count = scaled(EVENTS, place);
  const emitAll = async (events: number, prefix: string): Promise<number> => {
    const before = bodies;
    const { ms } = await sideBySide({ width: WIDTH, isOver: (begun) => begun >= events }, async (no) => {
      const { runs } = await bed.client.emit("cart:checked-out", { cart: no }, { id: `${prefix}-${no}` });
      insist("runs that an event started", runs.length, listeners.length);
    });
    await until(() => bodies - before >= events * listeners.length);
    await until(async () => (await bed.store.count({ status: ["ready", "running", "waiting"] })) === 0);
    return (events / ms) * 1000;
  };
  let warm = 0;
  await bed.untilSteady(() => emitAll(300, `warm-${(warm += 1)}`));
  const runsBefore = await bed.store.count({ status: "completed" });
  const { result, rowsPerS } = await bed.besideRaw(100, async () => {
    const startedAt = performance.now();
    const emitsPerS = await emitAll(count, `${place.seed}`);
    return { emitsPerS, endedMs: performance.now() - startedAt };
  });
  const runs = (await bed.store.count({ status: "completed" })) - runsBefore;
  insist("completed runs", runs, count * listeners.length);
  insist("bodies", bodies, runs + runsBefore);
  const runsPerS = (runs / result.endedMs) * 1000;
  return { ...result, runsPerS, rawRowsPerS: rowsPerS, ofRaw: runsPerS / rowsPerS };
}
