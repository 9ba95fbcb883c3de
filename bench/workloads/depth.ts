import { Bed } from "../bed.ts";
import { oneByOne, quantile } from "../measure.ts";
import { order, single } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const FINISHED = 1_000_000;
const CLAIMS = 1_000;
const WARM_CLAIMS = 500;
const RUNS = 500;

export const depth: Workload = {
  name: "depth",
  about: "the same store empty, and with 1,000,000 finished runs in it",
  metrics: [
    { key: "claimEmptyUs", label: "claim() of one run, empty, p50", unit: "µs" },
    { key: "claimDeepUs", label: "claim() of one run, deep, p50", unit: "µs" },
    { key: "claimRatio", label: "claims, deep in empty", unit: "×", atMost: 1.2 },
    { key: "runEmptyMs", label: "c1 p50, empty", unit: "ms" },
    { key: "runDeepMs", label: "c1 p50, deep", unit: "ms" },
    { key: "runRatio", label: "c1, deep in empty", unit: "×" },
    { key: "seedS", label: "time to seed", unit: "s" },
  ],
  phases: [{ name: "measure", run: measure }],
};

const TEMPLATE = "template";

async function measure(place: Place): Promise<Figures> {
  const empty = await look(place, "empty");
  const startedAt = performance.now();
  const { database, address, seed } = place;
  await database.seedFinished(address, { template: TEMPLATE, copies: scaled(FINISHED, place), seed });
  const seedS = (performance.now() - startedAt) / 1000;
  await assertSeeded(place);
  const deep = await look(place, "deep");
  return {
    claimEmptyUs: empty.claimUs,
    claimDeepUs: deep.claimUs,
    claimRatio: deep.claimUs / empty.claimUs,
    runEmptyMs: empty.runMs,
    runDeepMs: deep.runMs,
    runRatio: deep.runMs / empty.runMs,
    seedS,
  };
}

async function look(
  place: Place,
  when: string,
): Promise<{ readonly claimUs: number; readonly runMs: number }> {
  await using bed = new Bed(place);
  const { client, store } = bed;
  const warm = scaled(WARM_CLAIMS, place);
  const count = warm + scaled(CLAIMS, place);
  for (let no = 0; no < count; no++) await client.start(single, null, { id: `${when}-${place.seed}-${no}` });
  const { name, version } = single;
  const lease = await store.join({
    workflows: [{ name, version, on: null, priority: 0, timeoutMs: null }],
    leaseMs: 600_000,
    host: "bench",
    pid: process.pid,
  });
  const request = { worker: lease.worker, limit: 1, workflows: [{ name, version }], except: [], inboxes: [] };
  const claims = (await oneByOne(count, () => store.claim(request))).slice(warm);
  await store.commit({ writes: [{ kind: "leave" }], lease: { worker: lease.worker, batch: 1 } });
  await bed.work([order, single]);
  if (when === "empty") await (await client.start(order, null, { id: TEMPLATE })).result();
  const runs = await oneByOne(scaled(RUNS, place), async () => (await client.start(order, null)).result());
  return { claimUs: quantile(claims, 0.5) * 1000, runMs: quantile(runs, 0.5) };
}

/** A copy that everstep can't read is no finished run. */
async function assertSeeded(place: Place): Promise<void> {
  await using bed = new Bed(place);
  const { runs } = await bed.client.runs.list({ workflow: order.name, limit: 1 });
  const report = await bed.client.runs.read(runs[0]?.id ?? "");
  if (report.status !== "completed" || report.journal.length < 5 || report.id === TEMPLATE)
    throw new Error(
      `the seeded run ${report.id} reads as ${report.status} with ${report.journal.length} entries`,
    );
}
