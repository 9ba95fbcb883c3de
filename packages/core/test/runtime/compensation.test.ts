/** P6: what completed or may have happened is undone, in reverse order of start, until done or stuck. */
import { expect, test } from "vitest";
import { type Context, FatalError, type StepOutcome, workflow } from "../../src/index.ts";
import { gate, rejection, untilAborted, World } from "../support/world.ts";

interface Undone {
  readonly name: string;
  readonly done: StepOutcome<unknown> | undefined;
  readonly key: string;
}

class Saga {
  readonly world = new World();
  readonly undone: Undone[] = [];

  /** A step with compensation. */
  step<T>(ctx: Context, name: string, value: T): Promise<T> {
    return ctx.step(name, () => value, {
      compensate: (done, step) => {
        this.undone.push({ name, done, key: step.idempotencyKey });
      },
    });
  }

  bare(ctx: Context, name: string): void {
    ctx.compensate(name, (step) => {
      this.undone.push({ name, done: undefined, key: step.idempotencyKey });
    });
  }

  async fails(handler: (ctx: Context) => Promise<unknown>): Promise<Error> {
    const definition = workflow<undefined, unknown>({ name: "w" }, (ctx) => handler(ctx));
    const process = await this.world.worker([definition]);
    return rejection(process.execute(definition, undefined, { id: "r" }));
  }

  get names(): readonly string[] {
    return this.undone.map(({ name }) => name);
  }
}

const decline = (ctx: Context, name = "declined"): Promise<never> =>
  ctx.step(name, () => {
    throw new FatalError("declined");
  });

test("P6: undos run in reverse order of start, with the results of their steps", async () => {
  const saga = new Saga();
  const error = await saga.fails(async (ctx) => {
    await saga.step(ctx, "reserve", { seat: 7 });
    saga.bare(ctx, "release-hold");
    await saga.step(ctx, "charge", undefined);
    await decline(ctx);
  });
  expect(error).toMatchObject({ code: "RUN_FAILED", cause: { step: "declined" } });
  expect(saga.undone).toEqual([
    { name: "charge", done: { outcome: "completed", result: undefined }, key: "r/charge/undo" },
    { name: "release-hold", done: undefined, key: "r/release-hold/undo" },
    { name: "reserve", done: { outcome: "completed", result: { seat: 7 } }, key: "r/reserve/undo" },
  ]);
  expect(saga.world.journal("r")).toEqual([
    "started reserve",
    "step reserve",
    "started charge",
    "step charge",
    "step declined",
    "unwinding failed",
    "undo charge",
    "undo release-hold",
    "undo reserve",
    "end failed",
  ]);
});

test("F110: parallel steps are undone in reverse order of start, not of completion", async () => {
  const saga = new Saga();
  const { clock } = saga.world;
  const slow = (ctx: Context, name: string, ms: number) =>
    ctx.step(name, () => new Promise<string>((resolve) => clock.after(ms, () => resolve(name))), {
      compensate: () => {
        saga.undone.push({ name, done: undefined, key: "" });
      },
    });
  await saga.fails(async (ctx) => {
    await Promise.all([slow(ctx, "a", 300), slow(ctx, "b", 100), slow(ctx, "c", 200)]);
    await decline(ctx);
  });
  expect(saga.names).toEqual(["c", "b", "a"]);
});

test("the compensation is durable before the body: a step that never came back is undone as unknown", async () => {
  const saga = new Saga();
  const { world } = saga;
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step(
      "charge",
      (step) => {
        world.effect(step, "charge");
        return new Promise<string>(() => {});
      },
      { compensate: (done, step) => saga.undone.push({ name: "charge", done, key: step.idempotencyKey }) },
    ),
  );
  const first = await world.worker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.effects.length === 1);
  expect(world.journal("r")).toEqual(["started charge"]);
  first.kill();
  await world.settle(world.process().client.get(run.id).cancel());
  await world.worker([definition]);
  await world.passUntil(() => world.run("r").end !== null);
  expect(saga.undone).toEqual([{ name: "charge", done: { outcome: "unknown" }, key: "r/charge/undo" }]);
  expect(world.effectNames).toEqual(["charge"]);
});

test("F108: a step that timed out for good is undone as unknown", async () => {
  const saga = new Saga();
  await saga.fails(async (ctx) => {
    await ctx.step("charge", untilAborted, {
      timeout: "1s",
      retry: false,
      compensate: (done) => {
        saga.undone.push({ name: "charge", done, key: "" });
      },
    });
  });
  expect(saga.undone).toMatchObject([{ name: "charge", done: { outcome: "unknown" } }]);
});

test("a FatalError that does not say so is undone, for its effect may have happened", async () => {
  const saga = new Saga();
  await saga.fails((ctx) =>
    ctx.step(
      "charge",
      () => {
        throw new FatalError("weird");
      },
      { compensate: (done) => saga.undone.push({ name: "charge", done, key: "" }) },
    ),
  );
  expect(saga.undone).toMatchObject([{ done: { outcome: "unknown" } }]);
});

test("what says `happened: false` is not undone", async () => {
  const saga = new Saga();
  await saga.fails(async (ctx) => {
    await saga.step(ctx, "reserve", 1);
    await ctx.step(
      "charge",
      () => {
        throw new FatalError("declined", { happened: false, details: { amount: 10n, at: new Date(0) } });
      },
      { compensate: () => saga.undone.push({ name: "charge", done: undefined, key: "" }) },
    );
  });
  expect(saga.names).toEqual(["reserve"]);
});

test("F115: after the pivot a failure undoes only what came later", async () => {
  const saga = new Saga();
  await saga.fails(async (ctx) => {
    await saga.step(ctx, "before", 1);
    saga.bare(ctx, "bare before");
    await ctx.pivot("shipped");
    await saga.step(ctx, "after", 2);
    saga.bare(ctx, "bare after");
    await decline(ctx);
  });
  expect(saga.names).toEqual(["bare after", "after"]);
});

test("nothing is undone when the code catches the failure", async () => {
  const saga = new Saga();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await saga.step(ctx, "reserve", 1);
    await decline(ctx).catch(() => {});
    return "went on";
  });
  const process = await saga.world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe("went on");
  expect(saga.undone).toEqual([]);
});

test("F109: an undo that fails is tried again, and those before it wait for it", async () => {
  const saga = new Saga();
  let failures = 0;
  await saga.fails(async (ctx) => {
    await saga.step(ctx, "first", 1);
    await ctx.step("second", () => 2, {
      compensate: (_done, step) => {
        saga.undone.push({
          name: `second, attempt ${step.attempt}`,
          done: undefined,
          key: step.idempotencyKey,
        });
        failures += 1;
        if (failures < 8) throw new Error("the bank is down");
      },
    });
    await decline(ctx);
  });
  expect(saga.names.slice(0, 3)).toEqual(["second, attempt 1", "second, attempt 2", "second, attempt 3"]);
  expect(saga.names.slice(-2)).toEqual(["second, attempt 8", "first"]);
  expect(new Set(saga.undone.slice(0, 8).map(({ key }) => key)).size).toBe(1);
});

test("F109: an undo that cannot succeed leaves the run stuck, after all others", async () => {
  const saga = new Saga();
  const { world } = saga;
  let isMended = false;
  const definition = workflow({ name: "w" }, async (ctx) => {
    await saga.step(ctx, "first", 1);
    ctx.compensate(
      "bare",
      () => {
        if (!isMended) throw new Error("no");
        saga.undone.push({ name: "bare", done: undefined, key: "" });
      },
      { retry: { maxAttempts: 2, initialDelay: 10 } },
    );
    await ctx.step("second", () => 2, {
      compensate: () => {
        if (!isMended) throw new FatalError("never");
        saga.undone.push({ name: "second", done: undefined, key: "" });
      },
    });
    await saga.step(ctx, "third", 3);
    await decline(ctx);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(saga.names).toEqual(["third", "first"]);
  expect(world.run("r")).toMatchObject({ phase: "compensating", stuck: { code: "UNDO_FAILED" } });
  expect(world.run("r").stuck?.message).toContain("second");
  expect(world.run("r").stuck?.message).toContain("bare");
  isMended = true;
  await world.settle(process.client.runs.resume("r"));
  await rejection(world.settle(run.result()));
  expect(saga.names).toEqual(["third", "first", "second", "bare"]);
  expect(world.run("r").end).toBe("failed");
});

test("an undo with a timeout is aborted and tried again", async () => {
  const saga = new Saga();
  let attempts = 0;
  await saga.fails(async (ctx) => {
    ctx.compensate(
      "bare",
      (step) => {
        attempts += 1;
        return attempts === 1 ? untilAborted(step) : undefined;
      },
      { timeout: "1s" },
    );
    await decline(ctx);
  });
  expect(attempts).toBe(2);
});

test("F113: a compensation that a deploy has changed gets what the old code journaled", async () => {
  const saga = new Saga();
  const { world } = saga;
  const version = (charge: () => object, name: string) =>
    workflow({ name: "w" }, async (ctx) => {
      await ctx.step("charge", charge, {
        compensate: (done, step) => {
          saga.undone.push({ name, done, key: step.idempotencyKey });
        },
      });
      await ctx.waitForSignal("go");
      await decline(ctx);
    });
  const old = version(() => ({ charge: "ch_1" }), "old");
  const first = await world.worker([old]);
  await first.start(old, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").waits.length > 0);
  first.kill();
  const second = await world.worker([version(() => ({ id: "another shape" }), "new")]);
  await world.settle(second.client.get("r").signal("go"));
  await world.passUntil(() => world.run("r").end !== null);
  expect(saga.undone).toEqual([
    { name: "new", done: { outcome: "completed", result: { charge: "ch_1" } }, key: "r/charge/undo" },
  ]);
});

test("F113: a compensation that the code no longer registers sticks that undo alone", async () => {
  const saga = new Saga();
  const { world } = saga;
  const hold = gate();
  const version = (isOld: boolean) =>
    workflow({ name: "w" }, async (ctx) => {
      await saga.step(ctx, "first", 1);
      if (isOld) {
        ctx.compensate("dropped", () => hold.promise);
      }
      await decline(ctx);
    });
  const first = await world.worker([version(true)]);
  await first.start(version(true), undefined, { id: "r" });
  await world.passUntil(() => world.journal("r").includes("unwinding failed"));
  first.kill();
  await world.worker([version(false)]);
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck?.message).toContain("dropped (the code no longer registers it)");
  expect(saga.names).toEqual(["first"]);
});

test("other bodies are aborted and awaited before anything is undone", async () => {
  const saga = new Saga();
  const { world } = saga;
  const order: string[] = [];
  await saga.fails(async (ctx) => {
    const slow = ctx.step(
      "slow",
      async (step) => {
        await untilAborted(step).catch(() => {});
        await new Promise<void>((resolve) => world.clock.after(2000, resolve));
        order.push("slow body over");
        return "late";
      },
      {
        compensate: (done) => {
          order.push(`undo slow ${JSON.stringify(done)}`);
        },
      },
    );
    await Promise.all([slow, decline(ctx)]);
  });
  expect(order).toEqual(["slow body over", 'undo slow {"outcome":"completed","result":"late"}']);
});

test("a closed run serves no new ask: nothing goes forward after the decision to undo", async () => {
  const saga = new Saga();
  const { world } = saga;
  const forward: string[] = [];
  await saga.fails(async (ctx) => {
    await saga.step(ctx, "first", 1);
    const branch = async (): Promise<void> => {
      await ctx.step("a", () => new Promise<void>((resolve) => world.clock.after(500, resolve)));
      await ctx.step("b", () => forward.push("b"));
    };
    await Promise.all([branch(), decline(ctx)]);
  });
  expect(forward).toEqual([]);
  expect(saga.names).toEqual(["first"]);
});

test("a loser of a race that may have happened is undone when the run fails later", async () => {
  const saga = new Saga();
  await saga.fails(async (ctx) => {
    await ctx.race({
      slow: () =>
        ctx.step("slow", untilAborted, {
          compensate: (done) => saga.undone.push({ name: "slow", done, key: "" }),
        }),
      timer: () => ctx.sleep("patience", "1s"),
    });
    await decline(ctx);
  });
  expect(saga.undone).toMatchObject([{ name: "slow", done: { outcome: "unknown" } }]);
});
