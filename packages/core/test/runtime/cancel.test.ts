/** Canceling a run at every point of its life. */
import { describe, expect, test } from "vitest";
import { FatalError, type RunHandle, workflow } from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

async function ended(world: World, run: RunHandle): Promise<Error> {
  return rejection(world.settle(run.result()));
}

/** A saga with a wait in its middle. */
function saga(world: World) {
  return workflow({ name: "w" }, async (ctx) => {
    await ctx.step("reserve", (step) => world.effect(step, "reserve"), {
      compensate: (_done, step) => world.effect(step, "undo reserve"),
    });
    await ctx.waitForSignal("go");
    await ctx.step("ship", (step) => world.effect(step, "ship"));
    return "done";
  });
}

test("before its first claim: nothing ran, nothing is undone", async () => {
  const world = new World();
  const definition = saga(world);
  const { client } = world.process();
  const run = await world.settle(client.start(definition, undefined, { id: "r", delay: "1h" }));
  await world.settle(run.cancel({ reason: "changed my mind" }));
  await world.worker([definition]);
  expect(await ended(world, run)).toMatchObject({
    code: "RUN_CANCELED",
    message: "run r was canceled: changed my mind",
  });
  expect(world.effects).toEqual([]);
  expect(world.journal("r")).toEqual(["cancel", "end canceled"]);
});

test("P6: while it waits: what it did is undone", async () => {
  const world = new World();
  const definition = saga(world);
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").waits.length > 0);
  await world.settle(run.cancel());
  expect(await ended(world, run)).toMatchObject({ name: "RunCanceledError" });
  expect(world.effectNames).toEqual(["reserve", "undo reserve"]);
  expect(await world.settle(run.status())).toBe("canceled");
});

test("with { compensate: false } nothing is undone", async () => {
  const world = new World();
  const definition = saga(world);
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").waits.length > 0);
  await world.settle(run.cancel({ compensate: false }));
  await ended(world, run);
  expect(world.effectNames).toEqual(["reserve"]);
});

test.each([true, false])(
  "during a step its body is aborted and awaited (compensate: %s)",
  async (compensate) => {
    const world = new World();
    const aborted = gate();
    const over = gate();
    const definition = workflow({ name: "w" }, (ctx) =>
      ctx.step(
        "charge",
        async (step) => {
          step.signal.addEventListener("abort", () => aborted.open());
          await over.promise;
          world.effect(step, "charge");
          return "charged";
        },
        { compensate: (done, step) => world.effect(step, `undo ${JSON.stringify(done)}`) },
      ),
    );
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(1000);
    await world.settle(run.cancel({ compensate }));
    await world.settle(aborted.promise);
    await world.pass(10_000);
    expect(world.run("r")).toMatchObject({ end: null, owner: 1 });
    over.open();
    await ended(world, run);
    const undo = 'undo {"outcome":"completed","result":"charged"}';
    expect(world.effectNames).toEqual(compensate ? ["charge", undo] : ["charge"]);
    expect(world.journal("r")).toContain("step charge");
  },
);

test("F98: the cancellation is journaled as such, never as the outcome of a step", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "slow",
      (step) =>
        new Promise((_, reject) => {
          step.signal.addEventListener("abort", () => reject(step.signal.reason as Error));
        }),
    ),
  );
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await world.settle(run.cancel());
  await ended(world, run);
  expect(world.journal("r")).toEqual(["cancel", "end canceled"]);
});

test("F111: while it is being undone a cancel is recorded and changes nothing", async () => {
  const world = new World();
  const undo = gate();
  const signals: AbortSignal[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.compensate("undo", ({ signal }) => {
      signals.push(signal);
      return undo.promise;
    });
    await ctx.step("declined", () => {
      throw new FatalError("declined");
    });
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.journal("r").includes("unwinding failed"));
  await world.settle(run.cancel());
  await world.pass(5000);
  expect(await world.settle(run.status())).toBe("compensating");
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  undo.open();
  expect(await ended(world, run)).toMatchObject({ name: "RunFailedError" });
  expect(world.journal("r")).toEqual([
    "step declined",
    "unwinding failed",
    "cancel",
    "undo undo",
    "end failed",
  ]);
});

test("a second cancel changes nothing", async () => {
  const world = new World();
  const undo = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.compensate("undo", () => undo.promise);
    await ctx.waitForSignal("never");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await world.settle(run.cancel());
  await world.pass(1000);
  await world.settle(run.cancel({ compensate: false }));
  undo.open();
  await ended(world, run);
  expect(world.journal("r")).toContain("undo undo");
});

test("F123: after the end it is refused, and nothing changes", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, () => "done");
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(run.result());
  const before = world.store.dump();
  expect(await rejection(world.settle(run.cancel()))).toMatchObject({
    code: "RUN_ENDED",
    status: "completed",
  });
  expect(world.store.dump().runs).toEqual(before.runs);
});

test("a run that does not exist can't be canceled", async () => {
  const world = new World();
  const { client } = world.process();
  expect(await rejection(world.settle(client.get("nobody").cancel()))).toMatchObject({
    code: "RUN_NOT_FOUND",
  });
});

test("the handler's own catch and finally blocks do not run", async () => {
  const world = new World();
  const entered: string[] = [];
  const definition = workflow({ name: "w" }, async (ctx) => {
    try {
      await ctx.waitForSignal("never");
    } catch {
      entered.push("catch");
    } finally {
      entered.push("finally");
    }
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  await world.settle(run.cancel());
  await ended(world, run);
  expect(entered).toEqual([]);
});

describe("a stuck run", () => {
  test("a bug: what it did is undone", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx) => {
      await ctx.step("reserve", (step) => world.effect(step, "reserve"), {
        compensate: (_done, step) => world.effect(step, "undo reserve"),
      });
      throw new TypeError("a bug");
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.effectNames).toEqual(["reserve"]);
    await world.settle(run.cancel());
    await ended(world, run);
    expect(world.effectNames).toEqual(["reserve", "undo reserve"]);
    expect(world.run("r").end).toBe("canceled");
  });

  test("an exhausted step: what it did is undone, the step is not tried again", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx) => {
      ctx.compensate("undo", (step) => world.effect(step, "undo"));
      await ctx.step(
        "down",
        (step) => {
          world.effect(step, "down");
          throw new Error("down");
        },
        { retry: { maxAttempts: 1, onExhausted: "stick" } },
      );
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    await world.settle(run.cancel());
    await ended(world, run);
    expect(world.effectNames).toEqual(["down", "undo"]);
  });

  test("code that no longer fits its journal: { compensate: false } needs no replay", async () => {
    const world = new World();
    const version = (name: string) =>
      workflow({ name: "w" }, async (ctx) => {
        await ctx.step(name, () => 1);
        await ctx.sleep("nap", "1h");
      });
    const first = await world.worker([version("a")]);
    const run = await first.start(version("a"), undefined, { id: "r" });
    await world.pass(1000);
    first.kill();
    await world.pass(3_600_000);
    await world.worker([version("b")]);
    await world.passUntil(() => world.run("r").stuck !== null);
    const handle = world.process().client.get(run.id);
    await world.settle(handle.cancel({ compensate: false }));
    expect(await ended(world, handle)).toMatchObject({ code: "RUN_CANCELED" });
  });
});

test("I18 F123: whatever call it falls between, no step begins after the cancel was observed", async () => {
  for (let at = 1; at <= 12; at++) {
    const world = new World();
    const definition = workflow({ name: "w" }, async (ctx) => {
      for (const name of ["a", "b", "c"])
        await ctx.step(
          name,
          async (step) => {
            await new Promise<void>((resolve) => world.clock.after(100, resolve));
            world.effect(step, name);
          },
          { compensate: (_done, step) => world.effect(step, `undo ${name}`) },
        );
      return "done";
    });
    const process = await world.worker([definition]);
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(at * 30);
    const canceled = world.process().client.get(run.id).cancel();
    await world.settle(canceled).catch(() => {});
    await world.settle(run.result()).catch(() => {});
    const { end, journal } = world.run("r");
    const observed = journal.findIndex(({ kind }) => kind === "cancel");
    const forward = world.effectNames.filter((name) => !name.startsWith("undo "));
    if (end === "completed") expect(forward).toEqual(["a", "b", "c"]);
    else {
      expect(end).toBe("canceled");
      expect(observed).toBeGreaterThanOrEqual(0);
      const starts = journal.slice(observed).filter(({ kind }) => kind === "started");
      expect(starts).toEqual([]);
      const started = journal.filter(({ kind }) => kind === "started").map(({ key }) => `undo ${key}`);
      expect(world.effectNames.filter((name) => name.startsWith("undo "))).toEqual(started.toReversed());
    }
  }
});

test("a run whose code was lost, and which was to be undone, ends by an order that needs no code", async () => {
  const world = new World();
  const before = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("a", () => "a", { compensate: (_done, step) => world.effect(step, "undo a") });
    await ctx.waitForSignal("go");
  });
  const first = await world.worker([before]);
  await first.start(before, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").waits.length > 0);
  first.kill();
  const after = workflow({ name: "w" }, (ctx) => ctx.step("b", (step) => world.effect(step, "b")));
  const second = await world.worker([after]);
  const run = second.client.get("r");
  await world.settle(run.cancel());
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck?.code).toBe("DIVERGED");
  await world.settle(run.cancel({ compensate: false }));
  await world.settle(run.result().catch(() => {}));
  expect(world.run("r")).toMatchObject({ end: "canceled", stuck: null });
  expect(world.journal("r")).toEqual(["started a", "step a", "cancel", "cancel", "end canceled"]);
  expect(world.effectNames).toEqual([]);
});
