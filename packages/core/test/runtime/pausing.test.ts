/** A paused run is let go after the bodies that execute, and claimed by nobody until it is resumed. */
import { expect, test } from "vitest";
import { type OperateWrite, workflow } from "../../src/index.ts";
import { gate, type Process, rejection, World } from "../support/world.ts";

async function operate(process: Process, runId: string, operation: OperateWrite["operation"], id: string) {
  const value = JSON.stringify({ because: "a test", by: "nobody" });
  const [outcome] = await process.world.settle(
    process.store.commit({ writes: [{ kind: "operate", runId, operation, id, value }] }),
  );
  expect(outcome).toEqual({ is: "done" });
}

test("one that executes: its body ends and is journaled, the next does not begin", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", () => body.promise);
    await ctx.step("second", (step) => world.effect(step, "second"));
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await operate(process, "r", "pause", "p1");
  await world.pass(5000);
  expect(world.run("r").owner).not.toBeNull();
  body.open();
  await world.pass(60_000);
  expect(world.run("r")).toMatchObject({
    owner: null,
    dueAt: null,
    paused: { at: expect.any(Number) as number },
  });
  expect(world.journal("r")).toEqual(["pause p1", "step first"]);
  expect(world.effectNames).toEqual([]);
  expect(await world.settle(run.status())).toBe("waiting");
  await operate(process, "r", "resume", "p2");
  await world.settle(run.result());
  expect(world.journal("r")).toEqual(["pause p1", "step first", "resume p2", "step second", "end completed"]);
  expect(world.run("r").paused).toBeNull();
});

test("one that waits: a signal is kept, and its timer goes off when it is resumed", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.sleep("nap", "1m");
    return ctx.waitForSignal("go");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(5000);
  await operate(process, "r", "pause", "p1");
  await world.settle(run.signal("go", 1));
  await world.pass(300_000);
  expect(world.journal("r")).toEqual(["pause p1"]);
  await operate(process, "r", "resume", "p2");
  expect(await world.settle(run.result())).toBe(1);
});

test("a pause whose worker died before it heard of it is over with the resume", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", () => new Promise(() => {}));
    return "done";
  });
  const mended = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", () => 1);
    return "done";
  });
  const first = await world.worker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  first.kill();
  const client = world.process();
  await operate(client, "r", "pause", "p1");
  const second = await world.worker([mended]);
  await world.pass(60_000);
  expect(world.run("r")).toMatchObject({ owner: null, dueAt: null, end: null });
  await operate(second, "r", "resume", "p2");
  expect(await world.settle(second.client.get("r").result())).toBe("done");
  expect(run.id).toBe("r");
  // What its owner would have recorded is recorded by the next one.
  expect(world.journal("r")).toEqual(["resume p2", "pause p1", "step first", "end completed"]);
});

test("one whose pause was taken back before its body ended goes on", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", () => body.promise);
    return ctx.step("second", () => 2);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await operate(process, "r", "pause", "p1");
  await operate(process, "r", "resume", "p2");
  await world.pass(1000);
  body.open();
  expect(await world.settle(run.result())).toBe(2);
});

test("a cancel ends the pause, and what was done is undone", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.compensate("undo", (step) => world.effect(step, "undo"));
    await ctx.waitForSignal("go");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await operate(process, "r", "pause", "p1");
  await world.settle(run.cancel());
  expect(await world.settle(rejection(run.result()))).toMatchObject({ code: "RUN_CANCELED" });
  expect(world.effectNames).toEqual(["undo"]);
});

test("one that is resumed while a body still executes sends out what comes after it", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", () => body.promise);
    await ctx.signal("r", "go", 1);
    return ctx.waitForSignal("go");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await operate(process, "r", "pause", "p1");
  await world.pass(1000);
  await operate(process, "r", "resume", "p2");
  body.open();
  expect(await world.settle(run.result())).toBe(1);
});

test("one that has returned while it was paused ends when all that it wanted to send is sent", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", () => body.promise);
    ctx.emit("done", 1).catch(() => {});
    return "returned";
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await operate(process, "r", "pause", "p1");
  await world.pass(1000);
  body.open();
  await world.pass(5000);
  expect(world.journal("r")).toEqual(["pause p1", "step first"]);
  await operate(process, "r", "resume", "p2");
  expect(await world.settle(run.result())).toBe("returned");
  expect(world.journal("r").slice(3)).toEqual(["emit emit done", "end completed"]);
});

/** Executes a body that heeds nothing, beside a branch that waits for a signal. */
async function stubborn() {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.compensate("undo", (step) => world.effect(step, "undo"));
    const other = async (): Promise<void> => {
      await ctx.waitForSignal("go");
      await ctx.step("beside", (step) => world.effect(step, "beside"));
    };
    await Promise.all([ctx.step("stubborn", () => body.promise), other()]);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await operate(process, "r", "pause", "p1");
  await world.pass(1000);
  return { world, process, run, body };
}

test("a cancel ends the pause of a run whose body ignores its signal: it is undone beside it", async () => {
  const { world, run, body } = await stubborn();
  await world.settle(run.cancel());
  await world.pass(60_000);
  expect(world.effectNames).toEqual(["undo"]);
  expect(world.run("r").end).toBe("canceled");
  body.open();
});

test("one that is paused after the order to cancel it is not undone before it is resumed", async () => {
  const { world, process, run, body } = await stubborn();
  await world.settle(run.cancel());
  await operate(process, "r", "pause", "p2");
  await world.pass(60_000);
  expect(world.effectNames).toEqual([]);
  body.open();
  await operate(process, "r", "resume", "p3");
  await world.pass(60_000);
  expect(world.run("r").end).toBe("canceled");
  expect(world.effectNames).toEqual(["undo"]);
});

test("one that is resumed while a body executes goes on beside it", async () => {
  const { world, process, run, body } = await stubborn();
  await world.settle(run.signal("go"));
  await world.pass(5000);
  expect(world.effectNames).toEqual([]);
  await operate(process, "r", "resume", "p2");
  await world.pass(5000);
  expect(world.effectNames).toEqual(["beside"]);
  body.open();
  await world.settle(run.result());
});
