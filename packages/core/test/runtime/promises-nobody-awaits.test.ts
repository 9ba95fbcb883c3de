/** F87, F90: promises of a run that nobody awaits, or not yet. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { FatalError, workflow } from "../../src/index.ts";
import { gate, nameOf, World } from "../support/world.ts";

const unhandled: unknown[] = [];
const collect = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", collect);
});

afterEach(() => {
  process.off("unhandledRejection", collect);
});

/** Node tells of unhandled rejections after the microtasks of a macrotask. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("F90: a step that fails for good before anybody awaits it ends no process", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const step = ctx.step("declined", () => {
      throw new FatalError("declined");
    });
    await ctx.sleep("nap", "10s");
    return step.catch(nameOf);
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("StepFailedError");
  await nextTurn();
  expect(unhandled).toEqual([]);
});

test("F90: a signal that times out before anybody awaits it ends no process", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const approval = ctx.waitForSignal("approval", { timeout: "1s" });
    await ctx.sleep("nap", "10s");
    return approval.catch(nameOf);
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("SignalTimeoutError");
  await nextTurn();
  expect(unhandled).toEqual([]);
});

test("F90: a race that rejects before anybody awaits it ends no process", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const race = ctx.race({
      first: () =>
        ctx.step("declined", () => {
          throw new FatalError("declined");
        }),
    });
    await ctx.sleep("nap", "10s");
    return race.catch(nameOf);
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("StepFailedError");
  await nextTurn();
  expect(unhandled).toEqual([]);
});

test("F90: what losers of a race throw afterwards is theirs alone", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      fast: () => ctx.step("fast", () => 1),
      slow: async (signal) => {
        await ctx.sleep("slow", "1h", { signal });
      },
    });
    await ctx.sleep("nap", "10s");
    return winner;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("fast");
  await nextTurn();
  expect(unhandled).toEqual([]);
});

test("F87: a step that nobody awaits is done before the run completes", async () => {
  const world = new World();
  const body = gate();
  const definition = workflow({ name: "w" }, (ctx) => {
    // oxlint-disable-next-line typescript/no-floating-promises -- this is what the test is about
    ctx.step("mail", async (step) => {
      await body.promise;
      world.effect(step, "mail");
    });
    return "returned";
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(5000);
  expect(await world.settle(run.status())).toBe("running");
  body.open();
  expect(await world.settle(run.result())).toBe("returned");
  expect(world.effectNames).toEqual(["mail"]);
  expect(world.journal("r")).toEqual(["step mail", "end completed"]);
});

test("F87: a wait that nobody awaits does not keep the run from completing", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => {
    // oxlint-disable-next-line typescript/no-floating-promises -- this is what the test is about
    ctx.sleep("forgotten", "1h");
    return "returned";
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("returned");
  expect(world.clock.monotonic()).toBeLessThan(1000);
});

test("F87: a step that fails for good though nobody awaits it does not fail the run", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => {
    // oxlint-disable-next-line typescript/no-floating-promises -- this is what the test is about
    ctx.step("declined", () => {
      throw new FatalError("declined");
    });
    return "returned";
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("returned");
  await nextTurn();
  expect(unhandled).toEqual([]);
});
