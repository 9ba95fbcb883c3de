/** A process may load this package twice: bundled into one entry point and not into another, or as a dependency of a dependency. */
import { expect, test, vi } from "vitest";
import * as errors from "../../src/errors.ts";
import type * as core from "../../src/index.ts";
import {
  Client,
  EverstepError,
  FatalError,
  RetryAfterError,
  transactStep,
  workflow,
} from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

async function anotherCopy(): Promise<typeof core> {
  vi.resetModules();
  const copy = await import("../../src/index.ts");
  expect(copy.FatalError).not.toBe(FatalError);
  return copy;
}

const classes = Object.values(errors).filter((value) => typeof value === "function");

test("all classes of errors are known by name to all copies", () => {
  const unknown = classes.filter(
    ({ prototype }) => !Object.getOwnPropertySymbols(prototype).includes(Symbol.for("everstep.error")),
  );
  expect(classes.length).toBeGreaterThan(20);
  expect(unknown).toEqual([]);
});

test("an error of another copy is an instance of the same class here, and of no other", async () => {
  const copy = await anotherCopy();
  class Declined extends copy.FatalError {}
  const declined: unknown = new Declined("no");
  expect([declined instanceof FatalError, declined instanceof EverstepError]).toEqual([true, true]);
  expect(declined instanceof RetryAfterError).toBe(false);
  class Refused extends FatalError {}
  expect(declined instanceof Refused).toBe(false);
  expect(new Refused("no") instanceof Refused).toBe(true);
  expect(new Error("no") instanceof FatalError).toBe(false);
  const others: readonly unknown[] = [null, undefined, 1, "FatalError", {}, () => {}];
  expect(others.filter((other) => other instanceof FatalError)).toEqual([]);
});

test("steps of a workflow that another copy made fail for good and are tried again as they say", async () => {
  const copy = await anotherCopy();
  const world = new World();
  const definition = copy.workflow({ name: "w" }, async (ctx) => {
    await ctx.step("busy", (step) => {
      if (step.attempt === 1) throw new copy.RetryAfterError("busy", { after: "1h" });
    });
    const error = await rejection(
      ctx.step("charge", () => {
        throw new copy.FatalError("declined", { code: "card_declined" });
      }),
    );
    return [error instanceof copy.StepFailedError, error.cause instanceof copy.FatalError];
  });
  const process = await world.worker([definition]);
  const startedAt = world.clock.now();
  const run = await process.start(definition, undefined, { id: "r" });
  expect(await world.settle(run.result(), 7_200_000)).toEqual([true, true]);
  expect(world.clock.now() - startedAt).toBeGreaterThanOrEqual(3_600_000);
});

test("a transaction of another copy takes the ctx of this one, and none that is none", async () => {
  const copy = await anotherCopy();
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => copy.transactStep(ctx, "book", () => "booked"));
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe("booked");
  expect(() => transactStep({} as never, "book", () => 1)).toThrow(/needs the ctx/);
});

test("client and worker of different copies share one store", async () => {
  const copy = await anotherCopy();
  const world = new World();
  const definition = workflow<number, number>({ name: "w" }, (ctx, n) => ctx.step("double", () => 2 * n));
  const process = await world.worker([definition]);
  const there = new copy.Client({ store: process.store, clock: process.clock });
  const here = new Client({ store: process.store, clock: process.clock });
  const run = await world.settle(there.start(definition, 4, { id: "r" }));
  expect(await world.settle(run.result())).toBe(8);
  expect(await world.settle(here.get("r").result())).toBe(8);
  const conflict = await rejection(world.settle(there.start(definition, 5, { id: "r" })));
  expect(conflict instanceof errors.RunConflictError).toBe(true);
});

test("workers of different copies in one process execute each other's runs", async () => {
  const copy = await anotherCopy();
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("first", (step) => world.effect(step, "first"));
    await ctx.sleep("nap", "1m");
    await ctx.step("second", (step) => world.effect(step, "second"));
  });
  const process = world.process();
  const first = await process.startWorker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.effects.length === 1);
  const second = new copy.Worker({
    store: process.store,
    clock: process.clock,
    logger: world.logger,
    workflows: [definition],
  });
  await world.settle(second.start());
  await world.settle(first.stop());
  await world.settle(run.result());
  expect(world.effectNames).toEqual(["first", "second"]);
});
