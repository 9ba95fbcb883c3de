/**
 * P7, I14, F120, F122: 10,000 runs that wait, and are sent signals at random instants, twice, too early and too late, while their
 * worker parks them, sleeps over nothing, and dies. `EVERSTEP_SIGNAL_SEED` draws another sequence.
 */
import { strict as assert } from "node:assert";
import { expect, test } from "vitest";
import { prng } from "../../src/engine/prng.ts";
import { type AnyWorkflow, type Client, workflow } from "../../src/index.ts";
import type { RunDump } from "../../src/testing/index.ts";
import { codeOf, type Process, World } from "../support/world.ts";

const SEED = process.env["EVERSTEP_SIGNAL_SEED"] ?? "1";
const WORLDS = 100;
const RUNS = 100;
/** Signals that each run waits for: so many are sent, or one more. */
const WAITS = 3;

/** What its sender was told: a duplicate is accepted as well. */
interface Sent {
  readonly id: string;
  readonly answer: string;
}

test(`every signal is taken by one wait, or refused (EVERSTEP_SIGNAL_SEED=${SEED})`, {
  timeout: 600_000,
}, async () => {
  let refused = 0;
  for (let n = 0; n < WORLDS; n++) refused += await interleaved(`${SEED} ${n}`);
  // Else nothing came too late, and refusing was not tried.
  expect(refused).toBeGreaterThan(WORLDS);
});

/** Answers how many signals were refused. */
async function interleaved(seed: string): Promise<number> {
  const random = prng(seed);
  const below = (most: number): number => Math.floor(random.next() * most);
  const world = new World({ seed, hints: random.next() < 0.5 });
  const definition = workflow<number, string[]>({ name: "w" }, async (ctx, napMs) => {
    const got: string[] = [];
    for (let wait = 0; wait < WAITS; wait++) {
      if (napMs > 0) await ctx.sleep("nap", napMs);
      got.push(await ctx.waitForSignal<string>("go"));
    }
    return got;
  });
  const sender = world.process();
  for (let n = 0; n < RUNS; n++)
    await sender.start(definition, random.next() < 0.5 ? 0 : 1 + below(400), { id: `r${n}` });
  const sent = Array.from({ length: RUNS }, (): Sent[] => []);
  for (const [n, answers] of sent.entries())
    for (const id of ["a", "b", "c", "d"].slice(0, WAITS + below(2)))
      for (let copy = 0; copy <= below(2); copy++)
        world.clock.after(
          below(2000),
          () => void send(sender.client, `r${n}`, id).then((one) => answers.push(one)),
        );
  let worker = await distant(world, definition, below);
  for (let death = 0; death < 3; death++) {
    await world.pass(200 + below(400));
    worker.kill();
    worker = await distant(world, definition, below);
  }
  // Runs whose worker died twice are gone on with one by one.
  await world.pass(60_000);
  const runs = new Map(world.store.dump().runs.map((run) => [run.id, run]));
  return sent.reduce((sum, answers, n) => sum + check(runs.get(`r${n}`), answers, seed), 0);
}

/** Whose store is so far away that much can happen while a call is on its way, and while its answer is. */
async function distant(
  world: World,
  definition: AnyWorkflow,
  below: (most: number) => number,
): Promise<Process> {
  const process = world.process();
  const travel = (): Promise<void> => new Promise((resolve) => process.clock.after(below(15), resolve));
  const { store } = process;
  const [commit, claim] = [store.commit.bind(store), store.claim.bind(store)];
  const far =
    <A, B>(call: (given: A) => Promise<B>) =>
    (given: A): Promise<B> =>
      travel()
        .then(() => call(given))
        .then((answer) => travel().then(() => answer));
  store.commit = far(commit);
  store.claim = far(claim);
  await process.startWorker([definition], { lease: "1s" });
  return process;
}

async function send(client: Client<never>, run: string, id: string): Promise<Sent> {
  const answer = await client
    .get(run)
    .signal("go", id, { id })
    .then(
      () => "accepted",
      (error: unknown) => codeOf(error),
    );
  return { id, answer };
}

/** Answers how many of its signals were refused. */
function check(run: RunDump | undefined, sent: readonly Sent[], seed: string): number {
  const where = `${run?.id}, EVERSTEP_SIGNAL_SEED=${seed}`;
  assert.equal(run?.end, "completed", where);
  const ids = run.messages.map(({ id }) => id);
  const taken = run.messages.filter(({ consumedBy }) => consumedBy !== null).map(({ id }) => id);
  assert.deepEqual(JSON.parse(run.result ?? ""), taken, `each is taken by one wait: ${where}`);
  assert.deepEqual(taken, ids.slice(0, WAITS), `in the order in which they came: ${where}`);
  const accepted = new Set(sent.filter(({ answer }) => answer === "accepted").map(({ id }) => id));
  assert.deepEqual([...accepted].toSorted(), ids.toSorted(), `what was accepted is there, once: ${where}`);
  const refused = sent.filter(({ answer }) => answer !== "accepted");
  assert.ok(
    refused.every(({ answer }) => answer === "RUN_ENDED"),
    `the others are refused loudly: ${where}`,
  );
  return refused.length;
}
