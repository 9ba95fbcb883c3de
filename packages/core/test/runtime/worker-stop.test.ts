/** Starting and stopping workers: hand-off burns no attempt, and nothing is let go while a body of it runs. */
import { describe, expect, test } from "vitest";
import { StoreError, Worker, workflow } from "../../src/index.ts";
import { memoryStore } from "../../src/testing/index.ts";
import { gate, rejection, untilAborted, World } from "../support/world.ts";

test("F17: a body that ends within the grace is waited for, its run goes on elsewhere at once", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("slow", async (step) => {
      world.effect(step, "slow");
      await new Promise<void>((resolve) => world.clock.after(3000, resolve));
    });
    return ctx.step("next", (step) => step.attempt);
  });
  const first = world.process();
  const worker = await first.startWorker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.effects.length === 1);
  const stopping = worker.stop({ grace: "10s" });
  expect(await world.settle(stopping)).toEqual([]);
  expect(world.run("r")).toMatchObject({ owner: null, strikes: 0, interrupted: false });
  expect(world.journal("r")).toEqual(["step slow"]);
  await world.worker([definition]);
  expect(await world.settle(run.result())).toBe(1);
  expect(world.effectNames).toEqual(["slow"]);
});

test("a claim that is under way when the worker stops may fail afterwards, and nobody is alarmed", async () => {
  const world = new World();
  const closed = gate<never>();
  const store = Object.assign(memoryStore({ clock: world.clock }), { claim: () => closed.promise });
  const worker = new Worker({
    store,
    clock: world.clock,
    logger: world.logger,
    workflows: [workflow({ name: "w" }, async () => {})],
  });
  await world.settle(worker.start());
  await world.settle(worker.stop());
  closed.fail(new StoreError("the store was closed"));
  await world.pass(5_000);
  expect(world.lines.filter(({ level }) => level === "error")).toEqual([]);
});

test("F17: after the grace bodies are aborted, and the interruption uses up no attempt", async () => {
  const world = new World();
  const attempts: number[] = [];
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "slow",
      (step) => {
        attempts.push(step.attempt);
        return attempts.length === 1 ? untilAborted(step) : "done";
      },
      { retry: false },
    ),
  );
  const first = world.process();
  const worker = await first.startWorker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => attempts.length === 1);
  const stoppedAt = world.clock.monotonic();
  expect(await world.settle(worker.stop({ grace: "1s" }))).toEqual([]);
  expect(world.clock.monotonic() - stoppedAt).toBeLessThan(1500);
  await world.worker([definition]);
  expect(await world.settle(run.result())).toBe("done");
  expect(attempts).toEqual([1, 1]);
});

test("a body that ignores its signal is listed, and its run stays owned until it settles", async () => {
  const world = new World();
  const body = gate<string>();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("stubborn", (step) => {
      world.effect(step, "stubborn");
      return body.promise;
    }),
  );
  const first = world.process();
  const worker = await first.startWorker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  const idle = workflow({ name: "idle" }, (ctx) => ctx.waitForSignal("go"));
  await world.passUntil(() => world.effects.length === 1);
  expect(await world.settle(worker.stop({ grace: "1s" }))).toEqual(["r"]);
  await world.worker([definition, idle]);
  await world.pass(60_000);
  expect(world.run("r")).toMatchObject({ owner: 1, end: null });
  expect(world.effectNames).toEqual(["stubborn"]);
  body.open("late");
  expect(await world.settle(run.result())).toBe("late");
  expect(world.effectNames).toEqual(["stubborn"]);
  await world.pass(2000);
  expect(world.store.dump().workers[0]?.live).toBe(false);
});

test("idle runs are let go at once, without a strike", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step(
      "down",
      () => {
        throw new Error("down");
      },
      { retry: { initialDelay: "4s", factor: 1 } },
    );
  });
  const first = world.process();
  const worker = await first.startWorker([definition]);
  await first.start(definition, undefined, { id: "r" });
  await world.pass(500);
  expect(world.run("r").owner).toBe(1);
  const stoppedAt = world.clock.monotonic();
  await world.settle(worker.stop({ grace: "60s" }));
  expect(world.clock.monotonic() - stoppedAt).toBeLessThan(100);
  expect(world.run("r")).toMatchObject({ owner: null, strikes: 0 });
  expect(world.run("r").retries).toHaveLength(1);
});

test("a step that a stopping worker does not begin any more is not said to have started", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", () => body.promise);
    await ctx.step("second", (step) => world.effect(step, "second"), {
      compensate: (_done, step) => world.effect(step, "undo second"),
    });
  });
  const first = world.process();
  const worker = await first.startWorker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  await world.pass(100);
  const stopping = worker.stop({ grace: "60s" });
  await world.pass(1000);
  body.open();
  await world.settle(stopping);
  expect(world.journal("r")).toEqual(["step first"]);
  await world.settle(run.cancel());
  await world.worker([definition]);
  await rejection(world.settle(run.result()));
  expect(world.effects).toEqual([]);
});

test("no new run is begun while it stops", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow<string, void>({ name: "w" }, (ctx, name) =>
    ctx.step("step", async (step) => {
      world.effect(step, name);
      await body.promise;
    }),
  );
  const first = world.process();
  const worker = await first.startWorker([definition]);
  await first.start(definition, "old", { id: "old" });
  await world.passUntil(() => world.effects.length === 1);
  const stopping = worker.stop({ grace: "60s" });
  await first.start(definition, "new", { id: "new" });
  await world.pass(10_000);
  expect(world.effectNames).toEqual(["old"]);
  expect(world.run("new").owner).toBeNull();
  body.open();
  await world.settle(stopping);
});

test("F18: a second stop without grace ends the first one's patience", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("slow", (step) => {
      world.effect(step, "slow");
      return untilAborted(step);
    }),
  );
  const first = world.process();
  const worker = await first.startWorker([definition]);
  await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.effects.length === 1);
  const patient = worker.stop({ grace: "60s" });
  await world.pass(1000);
  expect(await world.settle(worker.stop({ grace: 0 }))).toEqual([]);
  expect(await world.settle(patient)).toEqual([]);
  expect(world.clock.monotonic()).toBeLessThan(5000);
});

test("L5: a stopped worker sets no timer any more and asks nothing of its store", async () => {
  const world = new World();
  const process = world.process();
  const worker = await process.startWorker([workflow({ name: "w" }, () => 1)]);
  await world.pass(3000);
  await world.settle(worker.stop());
  const calls = process.store.calls.length;
  await world.pass(60_000);
  expect(process.store.calls).toHaveLength(calls);
  expect(world.clock.nextMs).toBeNull();
});

test("a worker that was never started, or has stopped, stops at once; it starts only once", async () => {
  const world = new World();
  const process = world.process();
  expect(await process.newWorker([]).stop()).toEqual([]);
  const worker = await process.startWorker([]);
  expect(await rejection(worker.start())).toMatchObject({ code: "INVALID_ARGUMENT" });
  await world.settle(worker.stop());
  expect(await world.settle(worker.stop())).toEqual([]);
});

test("it can be disposed", async () => {
  const world = new World();
  const process = world.process();
  const worker = await process.startWorker([]);
  await world.settle(worker[Symbol.asyncDispose]());
  expect(world.store.dump().workers[0]?.live).toBe(false);
});

describe("what a worker is given", () => {
  const definition = workflow({ name: "w" }, () => 1);
  const make = (options: object) => () =>
    new Worker({ store: new World().store, workflows: [definition], ...options });

  test.each([0, -1, 1.5, Number.NaN])("concurrency %s is refused", (concurrency) => {
    expect(make({ concurrency })).toThrow(/concurrency/);
  });

  test("a senseless lease is refused", () => {
    expect(make({ lease: "soon" })).toThrow(/lease/);
  });

  test("one workflow twice in one version is refused, but for a copy of it; in two versions it is fine", () => {
    const next = workflow({ name: "w", version: "2" }, () => 2);
    const other = workflow({ name: "w" }, () => 2);
    const copy = workflow({ name: "w" }, () => 1);
    expect(make({ workflows: [definition, other] })).toThrow(/twice/);
    expect(make({ workflows: [definition, copy] })).not.toThrow();
    expect(make({ workflows: [definition, next] })).not.toThrow();
  });
});

test("no more runs are in memory than its concurrency; parked ones do not count", async () => {
  const world = new World();
  let inBodies = 0;
  let most = 0;
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.sleep("nap", "5s");
    await ctx.step("work", async () => {
      inBodies += 1;
      most = Math.max(most, inBodies);
      await new Promise<void>((resolve) => world.clock.after(500, resolve));
      inBodies -= 1;
    });
  });
  const process = await world.worker([definition], { concurrency: 3 });
  for (let n = 0; n < 20; n++) await process.start(definition, undefined, { id: `r${n}` });
  await world.passUntil(() => world.store.dump().runs.every(({ end }) => end !== null));
  expect(most).toBe(3);
});

test("F73: a worker leaves alone what it has no code for, in name or version", async () => {
  const world = new World();
  const [one, two] = ["1", "2"].map((version) => workflow({ name: "w", version }, () => version));
  const [client, foreign] = [world.process(), workflow({ name: "foreign" }, () => "f")];
  if (one === undefined || two === undefined) throw new Error("unreachable");
  const runs = [
    await client.start(one, undefined),
    await client.start(two, undefined),
    await client.start(foreign, undefined),
  ];
  await world.worker([two]);
  await world.pass(10_000);
  expect(await Promise.all(runs.map((run) => world.settle(run.status())))).toEqual([
    "ready",
    "completed",
    "ready",
  ]);
});

test("a worker that is stopped while it starts leaves nothing behind", async () => {
  for (const waitMs of [0, 1]) {
    const world = new World();
    const definition = workflow({ name: "w" }, () => Promise.resolve("done"));
    const worker = world.process().newWorker([definition]);
    const starting = worker.start();
    if (waitMs > 0) await Promise.resolve();
    expect(await world.settle(worker.stop())).toEqual([]);
    await world.settle(starting);
    await world.pass(100);
    expect(world.store.dump().workers.filter(({ live }) => live)).toEqual([]);
    expect(world.clock.nextMs).toBeNull();
  }
});
