import { Bed } from "../bed.ts";
import { memoryMb, oneByOne, sideBySide, until } from "../measure.ts";
import { order, sleeper } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const SLEEPERS = 10_000;
const WARM_RUNS = 500;
const WIDTH = 100;

/**
 * RSS is compared between processes that did the same work: under load V8 takes about 100 MB from the system for garbage that it
 * never gives back, whatever runs. What the sleepers leave behind where they fell asleep is seen in the heap.
 */
export const sleepers: Workload = {
  name: "sleepers",
  about: "10,000 runs that sleep for an hour",
  metrics: [
    { key: "rssMb", label: "RSS of a worker above that of one without sleepers", unit: "MB", atMost: 20 },
    { key: "heapMb", label: "heap that they leave where they fell asleep", unit: "MB", atMost: 20 },
    { key: "loadRssMb", label: "RSS there, V8's garbage included", unit: "MB" },
    { key: "asleepPerS", label: "started and asleep", unit: "/s" },
  ],
  phases: [
    { name: "without", run: async (place) => ({ withoutMb: await workerMb(place) }) },
    { name: "fall asleep", run: fallAsleep, anew: true },
    { name: "with", run: async (place) => ({ withMb: await workerMb(place) }) },
  ],
  derive: ({ withMb = Number.NaN, withoutMb = Number.NaN }) => ({ rssMb: withMb - withoutMb }),
};

async function fallAsleep(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const { client, store } = bed;
  const count = scaled(SLEEPERS, place);
  await bed.work([order, sleeper], WIDTH);
  await warm(bed, place.scale);
  const base = await memoryMb();
  const startedAt = performance.now();
  await sideBySide({ width: WIDTH, isOver: (begun) => begun >= count }, (no) =>
    client.start(sleeper, null, { id: `${place.seed}-${no}` }),
  );
  await until(async () => (await store.count({ status: "waiting" })) >= count, 20);
  const seconds = (performance.now() - startedAt) / 1000;
  const now = await memoryMb();
  return {
    heapMb: now.heapMb - base.heapMb,
    loadRssMb: now.rssMb - base.rssMb,
    asleepPerS: count / seconds,
  };
}

async function workerMb(place: Place): Promise<number> {
  await using bed = new Bed(place);
  await bed.work([order, sleeper], WIDTH);
  await warm(bed, place.scale);
  return (await memoryMb()).rssMb;
}

async function warm({ client }: Bed, scale: number): Promise<void> {
  const count = scaled(WARM_RUNS, { scale });
  await oneByOne(count, async () => (await client.start(order, null)).result());
}
