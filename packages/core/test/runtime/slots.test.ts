/** Who runs when: slots, several workers, and what a worker leaves behind. */
import { expect, test } from "vitest";
import { type Context, workflow } from "../../src/index.ts";
import { gate, rejection, untilAborted, World } from "../support/world.ts";

const wait = (world: World, ms: number): Promise<void> =>
  new Promise((resolve) => world.clock.after(ms, resolve));

/** Each run does one body of so many milliseconds. */
function bodies(world: World) {
  return workflow<number, void>({ name: "w" }, (ctx, ms) =>
    ctx.step("body", async (step) => {
      world.effect(step, ctx.run.id);
      await wait(world, ms);
    }),
  );
}

test("a slot that becomes free is used at once for a run that was started elsewhere meanwhile", async () => {
  const world = new World();
  const definition = bodies(world);
  const process = await world.worker([definition], { concurrency: 1 });
  await process.start(definition, 3300, { id: "first" });
  await world.pass(1000);
  await world.process().start(definition, 10, { id: "second" });
  await world.passUntil(() => world.run("first").end !== null);
  const endedAt = world.clock.monotonic();
  await world.passUntil(() => world.effectNames.includes("second"));
  expect(world.clock.monotonic() - endedAt).toBeLessThan(50);
});

test("two workers of one process share its store, its client and its commits", async () => {
  const world = new World();
  const process = world.process();
  const one = workflow({ name: "one" }, (ctx) => ctx.step("a", () => 1));
  const two = workflow({ name: "two" }, (ctx) => ctx.step("a", () => 2));
  const workers = [await process.startWorker([one]), await process.startWorker([two])];
  const runs = await Promise.all(
    [one, two, one, two].map((definition) => world.settle(process.client.start(definition, undefined))),
  );
  expect(await world.settle(Promise.all(runs.map((run) => run.result())))).toEqual([1, 2, 1, 2]);
  for (const worker of workers) expect(await world.settle(worker.stop())).toEqual([]);
});

test("F65: many workers share many runs, and each body begins once", async () => {
  const world = new World();
  const definition = bodies(world);
  const client = world.process();
  for (let n = 0; n < 60; n++) await client.start(definition, 100, { id: `r${n}` });
  for (let n = 0; n < 6; n++) await world.worker([definition], { concurrency: 3 });
  await world.passUntil(() => world.store.dump().runs.every(({ end }) => end === "completed"));
  expect(world.effectNames.toSorted()).toEqual(Array.from({ length: 60 }, (_, n) => `r${n}`).toSorted());
  expect(world.store.dump().runs.map(({ attempt }) => attempt)).toEqual(Array(60).fill(1));
  expect(world.clock.monotonic()).toBeLessThan(3000);
});

test("F72: runs that keep failing do not starve the others", async () => {
  const world = new World();
  const definition = workflow<boolean, void>({ name: "w" }, async (ctx, fails) => {
    await ctx.step("call", (step) => {
      if (fails) throw new Error("down");
      world.effect(step, ctx.run.id);
    });
  });
  const client = world.process();
  for (let n = 0; n < 50; n++) await client.start(definition, true, { id: `bad${n}` });
  for (let n = 0; n < 50; n++) await client.start(definition, false, { id: `good${n}` });
  await world.worker([definition], { concurrency: 5 });
  await world.passUntil(() => world.effects.length === 50, 120_000);
});

test("runs that only wait for a moment make room for what is due", async () => {
  const world = new World();
  const nap = workflow({ name: "nap" }, async (ctx) => {
    await ctx.sleep("a moment", 900);
    await ctx.step("body", (step) => world.effect(step, ctx.run.id));
  });
  const process = await world.worker([nap, bodies(world)], { concurrency: 2 });
  for (const id of ["one", "two"]) await process.start(nap, undefined, { id });
  await world.pass(100);
  await world.process().start(bodies(world), 10, { id: "due" });
  await world.passUntil(() => world.effectNames.includes("due"));
  expect(world.clock.monotonic()).toBeLessThan(200);
  await world.passUntil(() => world.effects.length === 3);
  expect(world.clock.monotonic()).toBeLessThan(1000);
});

test("runs that call children one after the other share one slot with them", async () => {
  const world = new World();
  const child = bodies(world);
  const parent = workflow({ name: "parent" }, async (ctx) => {
    for (let no = 0; no < 5; no++) await ctx.call(child, 10);
  });
  const process = await world.worker([parent, child], { concurrency: 1 });
  const runs = [];
  for (const id of ["one", "two"]) runs.push(await process.start(parent, undefined, { id }));
  await world.settle(Promise.all(runs.map((run) => run.result())));
  expect(world.effects).toHaveLength(10);
  expect(world.clock.monotonic()).toBeLessThan(1000);
});

test("a long run is not replayed for each of the signals that come one after the other", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    for (let no = 0; no < 320; no++) await ctx.waitForSignal("go");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  for (let no = 0; no < 300; no++) await world.settle(run.signal("go"));
  const { attempt } = world.run("r");
  for (let no = 0; no < 20; no++) {
    await world.pass(200);
    await world.settle(run.signal("go"));
  }
  await world.settle(run.result());
  expect(world.run("r").attempt).toBe(attempt);
});

test("F76: a long body keeps its run for as long as it takes", async () => {
  const world = new World();
  const definition = bodies(world);
  const process = await world.worker([definition], { lease: "2s" });
  await world.worker([definition], { lease: "2s" });
  const run = await process.start(definition, 600_000, { id: "r" });
  await world.settle(run.result(), 700_000);
  expect(world.effectNames).toEqual(["r"]);
  expect(world.run("r").attempt).toBe(1);
});

/** Each run is in its body until it is aborted. */
const endless = workflow({ name: "endless" }, (ctx) => ctx.step("endless", untilAborted));

/** How many bodies the worker in this world executes side by side, of nine that it could. */
async function slotsIn(world: World, definition: ReturnType<typeof bodies>): Promise<number> {
  const client = world.process();
  for (let n = 0; n < 9; n++) await client.start(definition, 1000, { id: `probe ${n}` });
  await world.passUntil(() => world.effects.length === 9);
  const at = world.effects.map((effect) => effect.at);
  return Math.max(...at.map((from) => at.filter((other) => other >= from && other < from + 1000).length));
}

test("F75: however many workers died with all their slots taken, the next one has all of its own", async () => {
  const world = new World();
  for (let death = 0; death < 100; death++) {
    const victim = await world.worker([endless], { concurrency: 3 });
    for (let n = 0; n < 3; n++) await victim.start(endless, undefined, { id: `lost ${death} ${n}` });
    victim.kill();
  }
  const definition = bodies(world);
  await world.worker([definition], { concurrency: 3 });
  expect(world.store.dump().runs.filter(({ owner }) => owner !== null)).toHaveLength(300);
  expect(await slotsIn(world, definition)).toBe(3);
});

test("F75: a worker that lost its lease, and all of its runs with it, has all of its slots again", async () => {
  const world = new World();
  const definition = bodies(world);
  const process = world.process();
  const renew = process.store.renew.bind(process.store);
  const silence = gate();
  process.store.renew = (lease) => silence.promise.then(() => renew(lease));
  await process.startWorker([endless, definition], { concurrency: 3 });
  for (let n = 0; n < 3; n++) await process.start(endless, undefined, { id: `lost ${n}` });
  const other = await world.worker([endless]);
  await world.passUntil(() => world.store.dump().runs.every(({ owner }) => owner === 2));
  silence.open();
  expect(await slotsIn(world, definition)).toBe(3);
  other.kill();
});

test("L5: whatever its runs did, a stopped worker leaves no timer behind", async () => {
  const world = new World();
  const definition = workflow<number, void>({ name: "w", timeout: "1h" }, async (ctx: Context, n) => {
    await ctx.step(
      "flaky",
      (step) => {
        if (step.attempt < 3) throw new Error("again");
      },
      { timeout: "5m" },
    );
    await ctx.race({
      signal: () => ctx.waitForSignal("go", { timeout: "10m" }),
      nap: () => ctx.sleep("nap", 400),
    });
    if (n % 3 === 0) await rejection(ctx.waitForSignal("never", { timeout: "2s" }));
    if (n % 3 === 1) throw new Error("failed");
    await ctx.sleep("long", "30m");
  });
  const process = world.process();
  const worker = await process.startWorker([definition]);
  for (let n = 0; n < 9; n++) {
    const run = await process.start(definition, n);
    run.result({ timeout: "20s" }).catch(() => {});
  }
  await world.pass(30_000);
  await world.settle(worker.stop());
  await world.pass(1000);
  expect(world.clock.nextMs).toBeNull();
});
