import { Bed } from "../bed.ts";
import { sideBySide, until } from "../measure.ts";
import { order, orderWith } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

/** In flight in all processes together. */
const WIDTH = 200;
const WARM_RUNS = 1_000;
const MEASURE_MS = 8_000;
const BACKLOG = 5_000;
/** Without a body for so long, a worker may have run the last one. */
const QUIET_MS = 100;

export const processes: Workload = {
  name: "processes",
  about: "runs of five steps, by one process and by two on the same store",
  metrics: [
    { key: "oneRunsPerS", label: "200 in flight in one process", unit: "/s" },
    { key: "twoRunsPerS", label: "100 in flight in each of two", unit: "/s" },
    { key: "growth", label: "in flight, two processes in one", unit: "×", atLeast: { postgres: 1 } },
    { key: "oneDrainedPerS", label: "a backlog of 5,000, drained by one", unit: "/s" },
    { key: "twoDrainedPerS", label: "the same, drained by two", unit: "/s" },
    { key: "drainGrowth", label: "drained, two processes in one", unit: "×", atLeast: { postgres: 1 } },
  ],
  phases: [
    { name: "one", run: (place) => inFlight(place, 1), merge: (all) => ({ oneRunsPerS: sum(all) }) },
    {
      name: "two",
      run: (place) => inFlight(place, 2),
      merge: (all) => ({ twoRunsPerS: sum(all) }),
      processes: 2,
      anew: true,
    },
    { name: "fill for one", run: fill, anew: true },
    { name: "drain by one", run: drain, merge: (all) => ({ oneDrainedPerS: last(all) }) },
    { name: "fill for two", run: fill, anew: true },
    { name: "drain by two", run: drain, merge: (all) => ({ twoDrainedPerS: last(all) }), processes: 2 },
  ],
  derive: (figures) => ({
    growth: ratio(figures["twoRunsPerS"], figures["oneRunsPerS"]),
    drainGrowth: ratio(figures["twoDrainedPerS"], figures["oneDrainedPerS"]),
  }),
};

function sum(all: readonly Figures[]): number {
  return all.reduce((total, { perS = Number.NaN }) => total + perS, 0);
}

/** The rate of all: that of the process which ran the last body. */
function last(all: readonly Figures[]): number {
  return Math.min(...all.map(({ perS = Number.NaN }) => perS));
}

function ratio(two = Number.NaN, one = Number.NaN): number {
  return two / one;
}

async function inFlight(place: Place, among: number): Promise<Figures> {
  await using bed = new Bed(place);
  const width = WIDTH / among;
  await bed.work([order], width);
  const run = async (id?: string): Promise<object> =>
    (await bed.client.start(order, null, id === undefined ? {} : { id })).result();
  await sideBySide({ width, isOver: (begun) => begun >= scaled(WARM_RUNS / among, place) }, () => run());
  await place.together();
  const isOver = (_begun: number, ms: number): boolean => ms >= MEASURE_MS * place.scale;
  const { latencies, ms } = await sideBySide({ width, isOver }, (no) =>
    run(`${place.seed}-${place.member}-${no}`),
  );
  return { perS: (latencies.length / ms) * 1000 };
}

async function fill(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  await sideBySide({ width: 100, isOver: (begun) => begun >= scaled(BACKLOG, place) }, (no) =>
    bed.client.start(order, null, { id: `${place.seed}-${no}` }),
  );
  return {};
}

/** Up to the last body that began here: to ask the store all the time would cost it more than a worker does. */
async function drain(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const left = (): Promise<number> => bed.store.count({ status: ["ready", "running"] });
  const backlog = await left();
  await place.together();
  const startedAt = performance.now();
  let lastAt = startedAt;
  await bed.work([
    orderWith(() => {
      lastAt = performance.now();
    }),
  ]);
  await until(async () => performance.now() - lastAt > QUIET_MS && (await left()) === 0, QUIET_MS);
  return { perS: (backlog / (lastAt - startedAt)) * 1000 };
}
