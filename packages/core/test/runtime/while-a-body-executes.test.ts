/** A body that takes its time holds up nothing else of its run. */
import { expect, test } from "vitest";
import { workflow } from "../../src/index.ts";
import { codeOf, gate, rejection, untilAborted, World } from "../support/world.ts";

test("a timer that wins a race against a body fires in time and aborts it", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      body: () => ctx.step("slow", untilAborted),
      timer: (signal) => ctx.sleep("patience", "3s", { signal }),
    });
    return winner;
  });
  const process = await world.worker([definition]);
  const startedAt = world.clock.now();
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("timer");
  expect(world.clock.now() - startedAt).toBeLessThan(3100);
});

test("a sleep beside a body that executes ends in time", async () => {
  const world = new World();
  const done = gate();
  const fired: string[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    const short = ctx.sleep("short", "2s").then(() => fired.push("short"));
    await Promise.all([ctx.step("slow", () => done.promise), short]);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(2500);
  expect(fired).toEqual(["short"]);
  done.open();
  await world.settle(run.result());
});

test("the retry of one branch does not wait for the body of another", async () => {
  const world = new World();
  const done = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await Promise.all([
      ctx.step("slow", () => done.promise),
      ctx.step(
        "flaky",
        (step) => {
          world.effect(step, "flaky");
          if (step.attempt === 1) throw new Error("not yet");
        },
        { retry: { initialDelay: "1s" } },
      ),
    ]);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1100);
  expect(world.effectNames).toEqual(["flaky", "flaky"]);
  done.open();
  await world.settle(run.result());
});

test("a signal's timeout passes while a body executes", async () => {
  const world = new World();
  const done = gate();
  const codes: unknown[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    const wait = ctx
      .waitForSignal("approval", { timeout: "2s" })
      .catch((error: unknown) => codes.push(codeOf(error)));
    await Promise.all([ctx.step("slow", () => done.promise), wait]);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(2500);
  expect(codes).toEqual(["SIGNAL_TIMEOUT"]);
  done.open();
  await world.settle(run.result());
});

test("the run's timeout aborts a body that executes", async () => {
  const world = new World();
  const definition = workflow({ name: "w", timeout: "10s" }, async (ctx) => {
    await ctx.step("slow", untilAborted);
  });
  const process = await world.worker([definition]);
  const startedAt = world.clock.now();
  const run = await process.start(definition, undefined, { id: "r" });
  const error = await rejection(world.settle(run.result()));
  expect(error.cause).toMatchObject({ code: "RUN_TIMEOUT" });
  expect(world.clock.now() - startedAt).toBeLessThan(10_100);
});

test("a body given up after its timeout holds up neither the next attempt nor a sleep", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("stubborn", (step) => (step.attempt === 1 ? new Promise(() => {}) : "done"), {
      timeout: "1s",
    });
    await ctx.sleep("nap", "20s");
    return "over";
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("over");
  expect(world.clock.monotonic()).toBeLessThan(30_000);
});
