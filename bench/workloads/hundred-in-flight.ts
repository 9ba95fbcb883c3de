import { monitorEventLoopDelay } from "node:perf_hooks";
import { Bed } from "../bed.ts";
import { cpuMeter, quantile, sideBySide } from "../measure.ts";
import { FIVE_STEPS, order } from "../workflows.ts";
import type { Figures, Place, Workload } from "../workload.ts";

const WIDTH = 100;
const WARM_RUNS = 1_000;
const MEASURE_MS = 8_000;

export const hundredInFlight: Workload = {
  name: "c100",
  about: "runs of five steps, 100 in flight",
  metrics: [
    { key: "runsPerS", label: "runs", unit: "/s", atLeast: { postgres: 2_400 } },
    { key: "stepsPerS", label: "steps", unit: "/s" },
    { key: "rawRowsPerS", label: "raw rows, 100 a commit", unit: "/s" },
    { key: "ofRaw", label: "steps, of the raw rows", unit: "×", atLeast: { sqlite: 0.25, postgres: 0.3 } },
    { key: "p50Ms", label: "p50", unit: "ms" },
    { key: "p99Ms", label: "p99", unit: "ms" },
    { key: "loopP99Ms", label: "event-loop delay p99", unit: "ms", atMost: 20 },
    { key: "cpuUsPerRun", label: "CPU of a run, this process", unit: "µs" },
    { key: "machineUsPerRun", label: "CPU of a run, the whole machine", unit: "µs" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const { client } = bed;
  await bed.work([order], WIDTH);
  const run = async (id?: string): Promise<object> =>
    (await client.start(order, null, id === undefined ? {} : { id })).result();
  await bed.untilSteady(() =>
    sideBySide({ width: WIDTH, isOver: (begun) => begun >= WARM_RUNS }, () => run()),
  );
  const loop = monitorEventLoopDelay({ resolution: 1 });
  const { result, rowsPerS } = await bed.besideRaw(100, async () => {
    loop.enable();
    const cpu = cpuMeter();
    const isOver = (_begun: number, ms: number): boolean => ms >= MEASURE_MS * place.scale;
    const flight = await sideBySide({ width: WIDTH, isOver }, (no) => run(`${place.seed}-${no}`));
    const used = cpu();
    loop.disable();
    return { ...flight, ...used };
  });
  const { latencies, ms, ownUs, machineUs } = result;
  const runsPerS = (latencies.length / ms) * 1000;
  const stepsPerS = runsPerS * FIVE_STEPS.length;
  return {
    runsPerS,
    stepsPerS,
    rawRowsPerS: rowsPerS,
    ofRaw: stepsPerS / rowsPerS,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    loopP99Ms: loop.percentile(99) / 1e6,
    cpuUsPerRun: ownUs / latencies.length,
    machineUsPerRun: machineUs / latencies.length,
  };
}
