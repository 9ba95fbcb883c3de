/** F88, F89, F97: a context where it does not belong, and handlers that throw what they should not. */
import { describe, expect, test } from "vitest";
import { type Context, FatalError, workflow } from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

async function stuckBy(world: World, handler: (ctx: Context) => unknown) {
  const definition = workflow({ name: "w" }, (ctx) => handler(ctx));
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").stuck !== null || world.run("r").end !== null);
  return world.run("r").stuck;
}

describe("F88: inside the body of a step", () => {
  const USES: Readonly<Record<string, (ctx: Context) => unknown>> = {
    step: (ctx) => ctx.step("inner", () => 1),
    sleep: (ctx) => ctx.sleep("inner", "1s"),
    sleepUntil: (ctx) => ctx.sleepUntil("inner", new Date(0)),
    waitForSignal: (ctx) => ctx.waitForSignal("inner"),
    compensate: (ctx) => ctx.compensate("inner", () => {}),
    pivot: (ctx) => ctx.pivot("inner"),
    race: (ctx) => ctx.race({ inner: async () => 1 }),
    tag: (ctx) => ctx.tag({ inner: "1" }),
    patched: (ctx) => ctx.patched("inner"),
  };

  test.each(Object.entries(USES))(
    "ctx.%s is a bug with a clear text, also when its error is caught",
    async (_, use) => {
      const world = new World();
      const stuck = await stuckBy(world, (ctx) =>
        ctx.step("outer", async () => {
          try {
            await use(ctx);
          } catch {
            // Swallowed: the run is stuck all the same.
          }
        }),
      );
      expect(stuck).toMatchObject({ code: "BUG" });
      expect(stuck?.message).toContain("inside the body of step outer");
    },
  );

  test("after an await in the body as well", async () => {
    const world = new World();
    const stuck = await stuckBy(world, (ctx) =>
      ctx.step("outer", async () => {
        await new Promise<void>((resolve) => world.clock.after(100, resolve));
        await ctx.step("inner", () => 1);
      }),
    );
    expect(stuck?.message).toContain("inside the body of step outer");
  });
});

describe("F89: by another run", () => {
  test("the run that uses it is stuck, its owner goes on", async () => {
    const world = new World();
    let leaked: Context | undefined;
    const owner = workflow({ name: "owner" }, async (ctx) => {
      leaked = ctx;
      await ctx.waitForSignal("go");
      return "fine";
    });
    const thief = workflow({ name: "thief" }, async () => {
      await leaked?.step("stolen", () => 1);
    });
    const process = await world.worker([owner, thief]);
    const run = await process.start(owner, undefined, { id: "owner" });
    await process.start(thief, undefined, { id: "thief" });
    await world.passUntil(() => world.run("thief").stuck !== null);
    expect(world.run("thief").stuck?.message).toContain("by the handler of another run");
    await world.settle(run.signal("go"));
    expect(await world.settle(run.result())).toBe("fine");
    expect(world.journal("owner")).toEqual(["signal go", "end completed"]);
  });

  test("after its run has ended it asks for nothing and writes nothing", async () => {
    const world = new World();
    let leaked: Context | undefined;
    const owner = workflow({ name: "owner" }, (ctx) => {
      leaked = ctx;
    });
    const process = await world.worker([owner]);
    await process.execute(owner, undefined, { id: "r" });
    const before = world.store.dump();
    let settled = false;
    leaked
      ?.step("late", () => 1)
      .catch(() => {})
      .finally(() => {
        settled = true;
      });
    leaked?.tag({ late: "1" });
    expect(leaked?.patched("late")).toBe(false);
    await world.pass(5000);
    expect(settled).toBe(false);
    expect(world.store.dump().runs).toEqual(before.runs);
  });
});

describe("a handler that throws", () => {
  const BUGS = {
    TypeError: new TypeError("x is not a function"),
    ReferenceError: new ReferenceError("x is not defined"),
    RangeError: new RangeError("out of range"),
    SyntaxError: new SyntaxError("Unexpected token"),
  };

  test.each(Object.entries(BUGS))(
    "%s is stuck: nothing is undone, and it goes on when it is mended",
    async (_, bug) => {
      const world = new World();
      let isMended = false;
      const definition = workflow({ name: "w" }, async (ctx) => {
        await ctx.step("charge", (step) => world.effect(step, "charge"), {
          compensate: (_done, step) => world.effect(step, "refund"),
        });
        if (!isMended) throw bug;
        return "mended";
      });
      const process = await world.worker([definition]);
      const run = await process.start(definition, undefined, { id: "r" });
      await world.passUntil(() => world.run("r").stuck !== null);
      expect(world.run("r").stuck).toMatchObject({ code: "BUG" });
      expect(world.run("r").stuck?.message).toContain(bug.message);
      isMended = true;
      await world.settle(process.client.runs.resume("r"));
      expect(await world.settle(run.result())).toBe("mended");
      expect(world.effectNames).toEqual(["charge"]);
    },
  );

  test("a TypeError in a step's body is transient, like any other error there", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) =>
      ctx.step("flaky", (step) => {
        if (step.attempt < 3) throw new TypeError("fetch failed");
        return step.attempt;
      }),
    );
    const process = await world.worker([definition]);
    expect(await process.execute(definition, undefined)).toBe(3);
  });

  test("any other error fails the run, and its cause is that error", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, () => {
      throw new FatalError("no stock", { code: "no_stock", details: { sku: "a" } });
    });
    const process = await world.worker([definition]);
    const error = await rejection(process.execute(definition, undefined, { id: "r" }));
    expect(error).toMatchObject({
      code: "RUN_FAILED",
      runId: "r",
      cause: { name: "FatalError", code: "no_stock", details: { sku: "a" } },
    });
  });

  const ODD: Readonly<Record<string, unknown>> = {
    null: null,
    undefined,
    "a text": "oops",
    "a number": 7,
    "a frozen error": Object.freeze(new Error("frozen")),
    "an AggregateError": new AggregateError([new Error("one")], "many"),
    "an error whose message throws": Object.defineProperty(new Error("x"), "message", {
      get() {
        throw new Error("getter");
      },
    }),
  };

  test.each(Object.entries(ODD))("F106: %s fails the run with an Error", async (_, thrown) => {
    const world = new World();
    const definition = workflow({ name: "w" }, () => Promise.reject(thrown as Error));
    const process = await world.worker([definition]);
    const error = await rejection(process.execute(definition, undefined));
    expect(error).toMatchObject({ code: "RUN_FAILED" });
    expect(error.cause).toBeInstanceOf(Error);
  });

  test("F97: an error that looks like the database's is the step's own failure", async () => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) =>
      ctx
        .step(
          "query",
          () => {
            throw Object.assign(new Error("could not serialize access"), { code: "40001" });
          },
          { retry: { maxAttempts: 2, initialDelay: 10 } },
        )
        .catch((error: unknown) => (error as Error).cause),
    );
    const process = await world.worker([definition]);
    expect(await process.execute(definition, undefined)).toMatchObject({ code: "40001" });
  });
});

test("a name used for two kinds of asks is a bug, told before anything is run for it", async () => {
  const world = new World();
  const stuck = await stuckBy(world, async (ctx) => {
    await ctx.step("both", (step) => world.effect(step, "both"));
    await ctx.sleep("both", "1s");
  });
  expect(stuck?.message).toContain("used for a step and for a timer");
});

test("a name asked twice, once outside a turn, needs a key: told before the body", async () => {
  const world = new World();
  const own = gate();
  const stuck = stuckBy(world, async (ctx) => {
    await ctx.step("again", (step) => world.effect(step, "first"));
    await own.promise;
    await ctx.step("again", (step) => world.effect(step, "second"));
  });
  world.clock.after(100, () => own.open());
  expect((await stuck)?.message).toContain("`key`");
  expect(world.effectNames).toEqual(["first"]);
});

test.each(["", "a#b", "a[b]", "a\nb", "x".repeat(201), "\ud800"])(
  "the name %j of a step is refused",
  async (name) => {
    const world = new World();
    const stuck = await stuckBy(world, (ctx) => ctx.step(name, () => 1));
    expect(stuck).toMatchObject({ code: "BUG" });
  },
);

test.each(["", "a\nb", "\u001b[31m", "x".repeat(501), "\ud800"])(
  "a key %j is refused before the body runs",
  async (key) => {
    const world = new World();
    const definition = workflow({ name: "w" }, (ctx) =>
      ctx.step("charge", (step) => world.effect(step, "charge"), { key }),
    );
    const process = await world.worker([definition]);
    await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null || world.run("r").end !== null);
    expect(world.run("r").stuck).toMatchObject({
      code: "BUG",
      message: expect.stringContaining("key of step charge") as string,
    });
    expect(world.effects).toEqual([]);
  },
);
