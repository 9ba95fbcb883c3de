/** The same random operations on this store and on the reference store: every answer and every run must agree. */
import assert from "node:assert/strict";
import { prng } from "../../engine/prng.ts";
import type { ClaimResult, Outcome, RetryState, RunDetails, RunRecord, Write } from "../../store.ts";
import { memoryStore } from "../memory-store.ts";
import { virtualClock } from "../virtual-clock.ts";
import { Bench, type Cases, type Hand } from "./bench.ts";
import { clientWrite, Dice, type Known, workerWrite } from "./random-writes.ts";
import { FAR_AWAY } from "./writes.ts";

const OPERATIONS = 250;
/** Each costs a lease of real time where the store's clock can't be moved. */
const DEATHS_MAX = 3;
const ROUNDS = 4;

/** A store and its workers; the workers of both sides stand in the same order. */
interface Side {
  readonly bench: Bench;
  readonly workers: Hand[];
}

/** Something that is done to both sides; what it answers is compared. */
type Operation = (side: Side) => Promise<unknown>;

async function duel(bench: Bench, seed: string): Promise<void> {
  const clock = virtualClock();
  const reference = new Bench(
    { store: memoryStore({ clock }), clock, close: async () => {} },
    { hints: true, seed, patienceMs: 1_000 },
  );
  const mine: Side = { bench, workers: [] };
  const theirs: Side = { bench: reference, workers: [] };
  const dice = new Dice(prng(seed));
  const both = async (what: string, operation: Operation): Promise<void> => {
    const got = await operation(mine);
    const expected = await operation(theirs);
    assert.deepEqual(got, expected, `seed ${seed}, ${what}: actual is this store, expected the reference`);
  };
  await both("three workers join", joinThree);
  for (let number = 1, deaths = 0; number <= OPERATIONS; number++) {
    const known = await allRuns(reference);
    const dies = deaths < DEATHS_MAX && dice.chance(DEATHS_MAX / OPERATIONS);
    if (dies) deaths++;
    const [what, operation] = dies ? (["death", death] as const) : draw(dice, known);
    await both(`operation ${number}: ${what}`, operation);
    await both(`after operation ${number}: ${what}`, everything);
  }
}

async function joinThree({ bench, workers }: Side): Promise<void> {
  for (let index = 0; index < 3; index++) workers.push(await bench.join());
}

/** A worker takes all that is due, has one of its runs to itself, and dies. Its heir joins the others. */
async function death({ bench, workers }: Side): Promise<unknown> {
  const victim = await bench.joinMortal();
  const { claims } = await victim.claim();
  const [first] = claims.map(({ run }) => run).toSorted(byId);
  const alone: Write[] =
    first === undefined
      ? []
      : [{ kind: "advance", runId: first.id, attempt: first.attempt, entries: [], alone: true }];
  await victim.commit(...alone);
  workers.push(victim, await bench.outlive(victim));
  return claims.map(({ run }) => run.id).toSorted();
}

function draw(dice: Dice, known: Known): readonly [what: string, operation: Operation] {
  const kind = dice.pick(["client", "client", "batch", "batch", "batch", "resend", "claim", "leave"]);
  const place = dice.below(100);
  const workerOf = ({ workers }: Side): Hand => workers[place % workers.length] ?? assert.fail("no worker");
  if (kind === "client") {
    const writes = some(dice, () => clientWrite(dice));
    return [describe(kind, writes), async ({ bench }) => (await bench.commit(...writes)).map(plain)];
  }
  if (kind === "batch") return drawBatch(dice, known);
  if (kind === "resend") return [kind, async (side) => (await workerOf(side).resend()).map(plain)];
  if (kind === "claim" || dice.chance(0.7)) {
    const except = [...known.keys()].filter(() => dice.chance(0.2));
    return ["claim", async (side) => plainClaims(side, await workerOf(side).claim({ except }))];
  }
  return [
    kind,
    async (side) => (await workerOf(side).commit({ kind: "leave" })).map(plain).concat(await rejoin(side)),
  ];
}

/** A batch of the worker that owns the run of most of its writes, as batches are; or of any. */
function drawBatch(dice: Dice, known: Known): readonly [what: string, operation: Operation] {
  const writes = some(dice, () => workerWrite(dice, known));
  const owners = writes.flatMap((write) =>
    write.kind === "advance" ? (known.get(write.runId)?.run.owner ?? []) : [],
  );
  const [owner] = owners;
  const place = dice.below(100);
  // The reference counts its workers from 1, in the order in which they joined.
  const index = owner === undefined || dice.chance(0.1) ? place : owner - 1;
  const claiming = writes.map((write) =>
    write.kind === "start" ? { ...write, claim: place % 2 === 0 } : write,
  );
  return [
    describe("batch", claiming),
    async ({ workers }) => {
      const worker = workers[index % workers.length] ?? assert.fail("no worker");
      return (await worker.commit(...claiming)).map(plain);
    },
  ];
}

async function rejoin({ bench, workers }: Side): Promise<unknown[]> {
  workers.push(await bench.join());
  return [];
}

function some(dice: Dice, draw: () => Write): Write[] {
  return Array.from({ length: 1 + dice.below(5) }, draw);
}

const describe = (what: string, writes: readonly Write[]): string => `${what} ${JSON.stringify(writes)}`;

async function allRuns(bench: Bench): Promise<Known> {
  const { runs } = await bench.store.list({}, { limit: 100 });
  return new Map(await Promise.all(runs.map(async ({ id }) => [id, await bench.read(id)] as const)));
}

/** All runs, without what depends on the moment of reading and on the numbers of workers. */
async function everything(side: Side): Promise<unknown> {
  const runs = [...(await allRuns(side.bench)).values()];
  return runs.map((details) => plainDetails(side, details)).toSorted((a, b) => byId(a.run, b.run));
}

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

/** An outcome without its instant. */
function plain(outcome: Outcome): unknown {
  return outcome.is === "created" ? { is: outcome.is, claimed: outcome.claimed } : hideReason(outcome);
}

const hideReason = (outcome: Outcome): unknown => (outcome.is === "refused" ? { is: outcome.is } : outcome);

/** An instant, as far as it means the same on both sides. */
function when(at: number | null, now: number): unknown {
  if (at === null || at >= FAR_AWAY) return at;
  return at <= now ? "past" : "future";
}

function plainRun({ workers }: Side, run: RunRecord, now: number) {
  const { createdAt: _, startedAt, endedAt, ...rest } = run;
  return {
    ...rest,
    tags: { ...run.tags },
    owner: workers.findIndex(({ id }) => id === run.owner),
    dueAt: when(run.dueAt, now),
    started: startedAt !== null,
    ended: endedAt !== null,
  };
}

function plainDetails(side: Side, { run, journal, messages, retries, now, capable }: RunDetails) {
  return {
    run: plainRun(side, run, now),
    journal: journal.map((entry) => (entry.kind === "resume" ? { ...entry, at: "now" } : entry)),
    messages: messages.map(({ type, id, name, payload }) => ({ type, id, name, payload })),
    retries: plainRetries(retries, now),
    capable,
  };
}

function plainRetries(retries: readonly RetryState[], now: number): unknown[] {
  const sorted = retries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return sorted.map((state) => ({
    ...state,
    firstAt: when(state.firstAt, now),
    nextAt: when(state.nextAt, now),
  }));
}

function plainClaims(side: Side, { claims, nextDueAt, now }: ClaimResult): unknown {
  const all = claims.map((claim) => ({
    run: plainRun(side, claim.run, now),
    journal: claim.journal.length,
    messages: claim.messages.map(({ id }) => id),
    retries: plainRetries(claim.retries, now),
  }));
  return { claims: all.toSorted((a, b) => byId(a.run, b.run)), nextDueAt: when(nextDueAt, now) };
}

export const differential: Cases = Object.fromEntries(
  Array.from({ length: ROUNDS }, (_, round) => [
    `S1–S9: ${OPERATIONS} random operations answer as in the reference store, round ${round + 1}`,
    (bench: Bench) => duel(bench, `${bench.seed}/${round + 1}`),
  ]),
);
