import { monitorEventLoopDelay } from "node:perf_hooks";
import { Bed } from "../bed.ts";
import { insist, quantile, sideBySide, until } from "../measure.ts";
import { sleeperUntil } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const SLEEPERS = 10_000;
const WIDTH = 100;
/** Until the instant: all are to be asleep by then. */
const AHEAD_MS = 20_000;
const AHEAD_LEAST_MS = 5_000;

export const timers: Workload = {
  name: "timers",
  about: "10,000 runs sleep until one instant, then run a step: how late after that instant it begins",
  metrics: [
    { key: "lateP50Ms", label: "late, p50", unit: "ms" },
    { key: "lateP99Ms", label: "late, p99", unit: "ms" },
    { key: "lateMaxMs", label: "late, max", unit: "ms" },
    { key: "endedMs", label: "from the instant until all have ended", unit: "ms" },
    { key: "runsPerS", label: "runs, from the instant on", unit: "/s" },
    { key: "ofRaw", label: "the same, of the raw rows, 100 a commit", unit: "×" },
    { key: "asleepPerS", label: "started and asleep", unit: "/s" },
    { key: "loopMaxMs", label: "longest event-loop delay after the instant", unit: "ms" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const late: number[] = [];
  const workflow = sleeperUntil((at) => {
    late.push(Date.now() - at);
  });
  await bed.work([workflow], WIDTH);
  const warm = (): Promise<unknown> =>
    sideBySide({ width: WIDTH, isOver: (begun) => begun >= 1_000 }, async () =>
      (await bed.client.start(workflow, { at: 0 })).result(),
    );
  await bed.untilSteady(warm);
  late.length = 0;
  const count = scaled(SLEEPERS, place);
  const { result, rowsPerS } = await bed.besideRaw(100, () =>
    wakeAll(bed, { workflow, count, seed: place.seed, at: Date.now() + aheadMs(place), late }),
  );
  const runsPerS = (count / result.endedMs) * 1000;
  return {
    ...result,
    lateP50Ms: quantile(late, 0.5),
    lateP99Ms: quantile(late, 0.99),
    lateMaxMs: quantile(late, 1),
    runsPerS,
    ofRaw: runsPerS / rowsPerS,
  };
}

function aheadMs({ scale }: Place): number {
  return Math.max(AHEAD_LEAST_MS, AHEAD_MS * scale);
}

interface Wake {
  readonly workflow: ReturnType<typeof sleeperUntil>;
  readonly count: number;
  readonly seed: number;
  readonly at: number;
  readonly late: readonly number[];
}

async function wakeAll(
  { client, store }: Bed,
  { workflow, count, seed, at, late }: Wake,
): Promise<Figures & { readonly endedMs: number }> {
  const startedAt = performance.now();
  const { latencies } = await sideBySide({ width: WIDTH, isOver: (begun) => begun >= count }, (no) =>
    client.start(workflow, { at }, { id: `${seed}-${no}` }),
  );
  await until(async () => (await store.count({ status: "waiting" })) >= count || Date.now() > at, 20);
  const asleepPerS = (latencies.length / (performance.now() - startedAt)) * 1000;
  insist("runs asleep before the instant", late.length, 0);
  insist("runs that wait", await store.count({ status: "waiting" }), count);
  const loop = monitorEventLoopDelay({ resolution: 1 });
  await until(() => Date.now() >= at - 1);
  loop.enable();
  await until(() => late.length >= count);
  await until(async () => (await store.count({ status: ["ready", "running", "waiting"] })) === 0);
  const endedMs = Date.now() - at;
  loop.disable();
  insist("runs that went on", late.length, count);
  return { endedMs, asleepPerS, loopMaxMs: loop.max / 1e6 };
}
