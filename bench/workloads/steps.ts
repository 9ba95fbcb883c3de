import type { Store } from "@everstep/core";
import { Bed, decorated } from "../bed.ts";
import { median, oneByOne } from "../measure.ts";
import { order, sequence } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const STEPS = 1_000;
const REPEATS = 3;
const COUNTED_RUNS = 50;

export const steps: Workload = {
  name: "steps",
  about: "one run of 1,000 sequential steps, alone; and what a run of five steps commits",
  metrics: [
    { key: "stepUs", label: "per step", unit: "µs" },
    { key: "rawUs", label: "raw commit of 1 row", unit: "µs" },
    { key: "ratio", label: "a step, in raw commits", unit: "×", atMost: 1.3 },
    { key: "commitsPerRun", label: "commits of a five-step run", unit: "", atMost: 6 },
  ],
  phases: [{ name: "measure", run: measure }],
};

async function measure(place: Place): Promise<Figures> {
  let commits = 0;
  const counting = (store: Store): Store =>
    decorated(store, {
      commit: (batch) => {
        commits += 1;
        return store.commit(batch);
      },
    });
  await using bed = new Bed(place, counting);
  const { client } = bed;
  await bed.work([sequence, order]);
  const stepCount = scaled(STEPS, place);
  const once = async (): Promise<number> => (await client.start(sequence, { steps: stepCount })).result();
  await bed.untilSteady(once);
  const beside = await bed.besideRaw(1, async () => {
    const times = await oneByOne(REPEATS, once);
    return (median(times) * 1000) / stepCount;
  });
  commits = 0;
  await oneByOne(COUNTED_RUNS, async () => (await client.start(order, null)).result());
  const rawUs = 1e6 / beside.commitsPerS;
  return {
    stepUs: beside.result,
    rawUs,
    ratio: beside.result / rawUs,
    commitsPerRun: commits / COUNTED_RUNS,
  };
}
