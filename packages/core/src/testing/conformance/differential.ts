/** The same random operations on this store and on the reference store: every answer and every run must agree. */
import assert from "node:assert/strict";
import { prng } from "../../engine/prng.ts";
import type { Write } from "../../store.ts";
import { memoryStore } from "../memory-store.ts";
import { virtualClock } from "../virtual-clock.ts";
import { Bench, type Cases, type Hand } from "./bench.ts";
import { Dice, type Known, someWorkflows, WORKFLOWS } from "./dice.ts";
import { allRuns, byId, everything, plain, plainClaims } from "./plain.ts";
import { clientWrite, workerWrite } from "./random-writes.ts";
import { HOUR_MS } from "./writes.ts";

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
  for (const workflows of [WORKFLOWS.slice(0, 1), WORKFLOWS, WORKFLOWS])
    workers.push(await bench.join({ workflows }));
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
  const kind = dice.pick([
    ...(["client", "client", "batch", "batch", "batch", "batch"] as const),
    ...(["resend", "claim", "claim", "leave", "ship"] as const),
  ]);
  const place = dice.below(100);
  const workerOf = ({ workers }: Side): Hand => workers[place % workers.length] ?? assert.fail("no worker");
  if (kind === "client") {
    const writes = some(dice, () => clientWrite(dice, known));
    return [describe(kind, writes), async ({ bench }) => (await bench.commit(...writes)).map(plain)];
  }
  if (kind === "batch") return drawBatch(dice, known);
  if (kind === "resend") return [kind, async (side) => (await workerOf(side).resend()).map(plain)];
  if (kind === "ship") return drawShipping(dice);
  if (kind === "claim" || dice.chance(0.7)) {
    const except = [...known.keys()].filter(() => dice.chance(0.2));
    const workflows = dice.chance(0.5) ? WORKFLOWS : WORKFLOWS.slice(0, 1);
    return ["claim", async (side) => plainClaims(side, await workerOf(side).claim({ except, workflows }))];
  }
  const workflows = someWorkflows(dice);
  return [
    `leave, and join with ${JSON.stringify(workflows)}`,
    async (side) => {
      const outcomes = await workerOf(side).commit({ kind: "leave" });
      side.workers.push(await side.bench.join({ workflows }));
      return outcomes.map(plain);
    },
  ];
}

/** Takes of the outbox, and says of some that they arrived. */
function drawShipping(dice: Dice): readonly [what: string, operation: Operation] {
  const request = { limit: 1 + dice.below(6), forMs: dice.pick([0, 0, HOUR_MS]) };
  const arrived = dice.below(6);
  return [
    `take ${JSON.stringify(request)}, ship ${arrived}`,
    async ({ bench }) => {
      const rows = await bench.store.takeOutbox(request);
      const nos = rows.slice(0, arrived).map(({ no }) => no);
      const outcomes = await bench.commit({ kind: "shipped", nos });
      return [rows.map(({ id, text }) => [id, text]), outcomes];
    },
  ];
}

/** A batch of a worker that owns something, as batches are; or of any. */
function drawBatch(dice: Dice, known: Known): readonly [what: string, operation: Operation] {
  const owners = [...known.values()].flatMap(({ run }) => run.owner ?? []);
  const owner = owners[dice.below(owners.length)] ?? null;
  const writes = some(dice, () => workerWrite(dice, known, owner));
  const place = dice.below(100);
  // The reference counts its workers from 1, in the order in which they joined.
  const index = owner === null || dice.chance(0.1) ? place : owner - 1;
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

function some(dice: Dice, draw: () => Write): Write[] {
  return Array.from({ length: 1 + dice.below(5) }, draw);
}

const describe = (what: string, writes: readonly Write[]): string => `${what} ${JSON.stringify(writes)}`;

export const differential: Cases = Object.fromEntries(
  Array.from({ length: ROUNDS }, (_, round) => [
    `S1–S14: ${OPERATIONS} random operations answer as in the reference store, round ${round + 1}`,
    (bench: Bench) => duel(bench, `${bench.seed}/${round + 1}`),
  ]),
);
