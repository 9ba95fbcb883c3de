import { monitorEventLoopDelay } from "node:perf_hooks";
import { Bed } from "../bed.ts";
import { insist, memoryMb, memoryPeak, sideBySide } from "../measure.ts";
import { fanOut, single } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const CHILDREN = 10_000;
const WIDTH = 100;
const WARM_RUNS = 1_000;

export const fanOutAndIn: Workload = {
  name: "fanout",
  about: "one run calls 10,000 children of one step each at once, and waits for all of them",
  metrics: [
    { key: "resultMs", label: "from `start()` to the result", unit: "ms" },
    { key: "childrenPerS", label: "children", unit: "/s" },
    { key: "rawRowsPerS", label: "raw rows, 100 a commit", unit: "/s" },
    { key: "ofRaw", label: "children, of the raw rows", unit: "×" },
    { key: "attempts", label: "attempts of the parent", unit: "" },
    { key: "rssMb", label: "RSS at its peak, above that before", unit: "MB" },
    { key: "heapMb", label: "heap at its peak, garbage included, above that before", unit: "MB" },
    { key: "leftMb", label: "heap that is left of it", unit: "MB" },
    { key: "loopP99Ms", label: "event-loop delay p99", unit: "ms" },
    { key: "loopMaxMs", label: "longest event-loop delay", unit: "ms" },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const { client } = bed;
  await bed.work([single, fanOut], WIDTH);
  const warm = (): Promise<unknown> =>
    sideBySide({ width: WIDTH, isOver: (begun) => begun >= WARM_RUNS }, async () =>
      (await client.start(single, null)).result(),
    );
  await bed.untilSteady(warm);
  await (await client.start(fanOut, { children: 10 })).result();
  const children = scaled(CHILDREN, place);
  const { result, rowsPerS } = await bed.besideRaw(100, () => fanOutOnce(bed, `${place.seed}`, children));
  const childrenPerS = (children / result.resultMs) * 1000;
  return { ...result, childrenPerS, rawRowsPerS: rowsPerS, ofRaw: childrenPerS / rowsPerS };
}

async function fanOutOnce(
  { client, store }: Bed,
  id: string,
  children: number,
): Promise<Figures & { readonly resultMs: number }> {
  const base = await memoryMb();
  const peak = memoryPeak();
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const startedAt = performance.now();
  const run = await client.start(fanOut, { children }, { id });
  const heardOf = await run.result();
  const resultMs = performance.now() - startedAt;
  loop.disable();
  const { rssMb, heapMb } = peak();
  insist("children that the parent heard of", heardOf, children);
  insist("completed children", await store.count({ parent: id, status: "completed" }), children);
  const { runs } = await store.list({ ids: [id] }, { limit: 1 });
  return {
    resultMs,
    attempts: runs[0]?.attempt ?? Number.NaN,
    rssMb: rssMb - base.rssMb,
    heapMb: heapMb - base.heapMb,
    leftMb: (await memoryMb()).heapMb - base.heapMb,
    loopP99Ms: loop.percentile(99) / 1e6,
    loopMaxMs: loop.max / 1e6,
  };
}
