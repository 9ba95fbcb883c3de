import { Bed } from "../bed.ts";
import { insist, sideBySide, until } from "../measure.ts";
import { collector, waiterFor } from "../workflows.ts";
import { type Figures, type Place, scaled, type Workload } from "../workload.ts";

const SIGNALS = 10_000;
const WIDTH = 100;
const LIVE = ["ready", "running", "waiting"] as const;
const PAYLOAD = { approved: true, by: "somebody@example.com" };

export const signals: Workload = {
  name: "signals",
  about: "10,000 parked runs get a signal each, by 100 calls at a time; then one run gets 10,000",
  metrics: [
    { key: "sentPerS", label: "accepted, sent where the runs are executed", unit: "/s" },
    { key: "endedMs", label: "from the first until all runs have ended", unit: "ms" },
    { key: "runsPerS", label: "runs signaled and ended", unit: "/s" },
    { key: "ofRaw", label: "the same, of the raw rows, 100 a commit", unit: "×" },
    { key: "otherSentPerS", label: "accepted, sent by another process", unit: "/s" },
    { key: "otherEndedMs", label: "from its first until all runs have ended", unit: "ms" },
    { key: "oneSentPerS", label: "accepted by one run that takes one after the other", unit: "/s" },
    { key: "oneEndedMs", label: "from the first until that run has taken all", unit: "ms" },
    { key: "onePerS", label: "taken by that run", unit: "/s" },
    { key: "oneAttempts", label: "attempts of that run", unit: "" },
  ],
  phases: [
    { name: "same process", run: here },
    { name: "another process", run: elsewhere, anew: true, processes: 2, merge: mergeElsewhere },
    { name: "one run", run: toOne, anew: true },
  ],
};

/** Starts the runs, and resolves when all are parked. */
async function parkAll(
  { client, store }: Bed,
  workflow: ReturnType<typeof waiterFor>,
  ids: readonly string[],
): Promise<void> {
  await sideBySide({ width: WIDTH, isOver: (begun) => begun >= ids.length }, (no) =>
    client.start(workflow, null, { id: ids[no - 1] ?? "" }),
  );
  await until(async () => (await store.count({ status: "waiting" })) >= ids.length, 20);
}

async function sendAll({ client }: Bed, ids: readonly string[]): Promise<number> {
  const { ms } = await sideBySide({ width: WIDTH, isOver: (begun) => begun >= ids.length }, (no) =>
    client.get(ids[no - 1] ?? "").signal("go", PAYLOAD),
  );
  return (ids.length / ms) * 1000;
}

function idsOf(place: Place): readonly string[] {
  return Array.from({ length: scaled(SIGNALS, place) }, (_, no) => `${place.seed}-${no + 1}`);
}

async function here(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const ids = idsOf(place);
  let taken = 0;
  const workflow = waiterFor(() => {
    taken += 1;
  });
  await bed.work([workflow], WIDTH);
  await parkAll(bed, workflow, ids);
  const { result, rowsPerS } = await bed.besideRaw(100, async () => {
    const startedAt = performance.now();
    const sentPerS = await sendAll(bed, ids);
    await until(() => taken >= ids.length);
    await until(async () => (await bed.store.count({ status: LIVE })) === 0);
    return { sentPerS, endedMs: performance.now() - startedAt };
  });
  insist("signals taken", taken, ids.length);
  insist("completed runs", await bed.store.count({ status: "completed" }), ids.length);
  const runsPerS = (ids.length / result.endedMs) * 1000;
  return { ...result, runsPerS, ofRaw: runsPerS / rowsPerS };
}

/** The first process executes the runs, the second one sends. */
async function elsewhere(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const ids = idsOf(place);
  if (place.member > 0) {
    await place.together();
    const firstAt = Date.now();
    return { firstAt, otherSentPerS: await sendAll(bed, ids) };
  }
  let taken = 0;
  const workflow = waiterFor(() => {
    taken += 1;
  });
  await bed.work([workflow], WIDTH);
  await parkAll(bed, workflow, ids);
  await place.together();
  await until(() => taken >= ids.length);
  await until(async () => (await bed.store.count({ status: LIVE })) === 0);
  const lastAt = Date.now();
  insist("signals taken", taken, ids.length);
  insist("completed runs", await bed.store.count({ status: "completed" }), ids.length);
  return { lastAt };
}

function mergeElsewhere(all: readonly Figures[]): Figures {
  const {
    lastAt = Number.NaN,
    firstAt = Number.NaN,
    otherSentPerS = Number.NaN,
  } = Object.assign({}, ...all) as Figures;
  return { otherSentPerS, otherEndedMs: lastAt - firstAt };
}

async function toOne(place: Place): Promise<Figures> {
  await using bed = new Bed(place);
  const count = scaled(SIGNALS, place);
  await bed.work([collector], WIDTH);
  const id = `${place.seed}`;
  const run = await bed.client.start(collector, { signals: count }, { id });
  const startedAt = performance.now();
  const oneSentPerS = await sendAll(
    bed,
    Array.from({ length: count }, () => id),
  );
  insist("signals taken by one run", await run.result(), count);
  const oneEndedMs = performance.now() - startedAt;
  const { runs } = await bed.store.list({ ids: [id] }, { limit: 1 });
  const oneAttempts = runs[0]?.attempt ?? Number.NaN;
  return { oneSentPerS, oneEndedMs, onePerS: (count / oneEndedMs) * 1000, oneAttempts };
}
