/** Runs that ended are purged when their workflow keeps them no longer. */
import { expect, test } from "vitest";
import { FatalError, type Workflow, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

const ids = (world: World): readonly string[] => world.store.dump().runs.map(({ id }) => id);
const DAY_MS = 86_400_000;

/** Without a worker that ticks twice a second meanwhile. */
function elapse(world: World, ms: number): void {
  world.clock.jump(ms);
}

async function ended(
  world: World,
  definition: Workflow<boolean, void>,
  id: string,
  ok: boolean,
): Promise<void> {
  const process = world.process();
  const worker = await process.startWorker([definition]);
  const run = await process.start(definition, ok, { id });
  if (ok) await world.settle(run.result());
  else await rejection(world.settle(run.result()));
  await world.settle(worker.stop());
}

const handler = (_ctx: unknown, ok: boolean): void => {
  if (!ok) throw new FatalError("no");
};

test("what ended longer ago than its retention is purged, by status; what is younger, and what lives, is not", async () => {
  const world = new World();
  const kept = { completed: "7d", failed: "30d" } as const;
  const definition = workflow<boolean, void>({ name: "w", retention: kept }, handler);
  const forever = workflow<boolean, void>({ name: "forever" }, handler);
  const waiting = workflow({ name: "waiting", retention: "1d" }, (ctx) => ctx.waitForSignal("go"));
  await ended(world, definition, "old ok", true);
  await ended(world, definition, "old failed", false);
  await ended(world, forever, "kept", true);
  elapse(world, 8 * DAY_MS);
  await ended(world, definition, "young ok", true);
  const all = [definition, forever, waiting];
  const process = await world.worker(all);
  await process.start(waiting, undefined, { id: "alive" });
  await world.pass(120_000);
  expect(ids(world).toSorted()).toEqual(["alive", "kept", "old failed", "young ok"]);
  elapse(world, 31 * DAY_MS);
  await world.pass(120_000);
  expect(ids(world).toSorted()).toEqual(["alive", "kept"]);
});

test("a backlog is purged in small batches; two workers do no harm", async () => {
  const world = new World();
  const definition = workflow<boolean, void>({ name: "w", retention: "1d" }, handler);
  const process = world.process();
  const worker = await process.startWorker([definition]);
  const runs = await world.settle(
    Promise.all(Array.from({ length: 350 }, () => process.client.start(definition, true))),
  );
  await world.settle(Promise.all(runs.map((run) => run.result())));
  await world.settle(worker.stop());
  elapse(world, 2 * DAY_MS);
  const one = await world.worker([definition]);
  await world.worker([definition]);
  await world.pass(120_000);
  expect(ids(world)).toEqual([]);
  const purging = one.store.calls.filter((call) => call.includes("purge"));
  expect(purging.length).toBeGreaterThan(0);
  expect(world.lines.filter(({ level }) => level === "error")).toEqual([]);
});

test("a child stays as long as its parent lives, and goes with it", async () => {
  const world = new World();
  const child = workflow({ name: "child", retention: "1d" }, () => 1);
  const parent = workflow({ name: "parent", retention: "1d" }, async (ctx) => {
    await ctx.call(child, undefined);
    await ctx.waitForSignal("go");
  });
  const process = await world.worker([parent, child]);
  const run = await process.start(parent, undefined, { id: "p" });
  await world.pass(1000);
  elapse(world, 3 * DAY_MS);
  await world.pass(120_000);
  expect(ids(world).toSorted()).toEqual(["p", "p/child"]);
  await world.settle(run.signal("go", undefined));
  await world.settle(run.result());
  elapse(world, 3 * DAY_MS);
  await world.pass(120_000);
  expect(ids(world)).toEqual([]);
});

test("a workflow without retention asks the store for nothing", async () => {
  const world = new World();
  const definition = workflow<boolean, void>({ name: "w" }, handler);
  const process = await world.worker([definition]);
  await world.pass(300_000);
  expect(process.store.calls.filter((call) => /list|purge/.test(call))).toEqual([]);
});
