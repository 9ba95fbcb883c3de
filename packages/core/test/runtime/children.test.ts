/** F9, F10, F114, F122, P1, P6: `ctx.call` and `ctx.start`: one child each, whatever crashes; its end and the parent's waking are one commit. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ChildFailedError, FatalError, RunConflictError, workflow } from "../../src/index.ts";
import { rejection, untilAborted, World } from "../support/world.ts";

const double = workflow({ name: "double" }, (ctx, n: number) => ctx.step("double", () => n * 2));
const waiting = workflow({ name: "waiting" }, (ctx) => ctx.waitForSignal<string>("go"));
const failing = workflow({ name: "failing" }, async (ctx) => {
  ctx.compensate("undo", () => {});
  await ctx.step("declined", () => {
    throw new FatalError("declined", { code: "card_declined" });
  });
});

describe("a child that is called", () => {
  test("runs under an id made of its parent's and its name, and its result is the call's", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => [
      await ctx.call(double, 1),
      await ctx.call(double, 2),
      await ctx.call(double, 3, { name: "third/one" }),
    ]);
    const process = await world.worker([double, parent]);
    expect(await process.execute(parent, undefined, { id: "r" })).toEqual([2, 4, 6]);
    expect(world.run("r/double").parent).toEqual({ runId: "r", key: "double", called: true });
    expect(world.run("r/double#2").result).toBe("4");
    expect(world.run("r/third%2Fone").result).toBe("6");
    expect(world.journal("r")).toEqual([
      "call double",
      "child double",
      "call double#2",
      "child double#2",
      "call third/one",
      "child third/one",
      "end completed",
    ]);
  });

  test("is replayed from the journal: nothing is started again", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const first = await ctx.call(double, 1);
      await ctx.sleep("nap", "5m");
      return first + (await ctx.call(double, first));
    });
    const process = await world.worker([double, parent]);
    expect(await process.execute(parent, undefined, { id: "r" })).toBe(6);
    expect(world.run("r").attempt).toBeGreaterThan(1);
    expect(world.run("r/double").attempt).toBe(1);
    expect(world.store.dump().runs).toHaveLength(3);
  });

  test("that fails rejects the call with its error as the cause, also when nothing was undone", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const error = await rejection(ctx.call(failing, undefined));
      await ctx.sleep("nap", "5m");
      return error;
    });
    const process = await world.worker([failing, parent]);
    const error = await process.execute(parent, undefined, { id: "r" });
    expect(error).toBeInstanceOf(ChildFailedError);
    expect(error).toMatchObject({ runId: "r/failing", call: "failing", status: "failed" });
    expect(error.cause).toMatchObject({ name: "StepFailedError", cause: { code: "card_declined" } });
  });

  test("that is canceled by somebody else rejects the call", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, (ctx) => rejection(ctx.call(waiting, undefined)));
    const process = await world.worker([waiting, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(1000);
    await world.settle(process.client.get("r/waiting").cancel({ reason: "no more" }));
    expect(await world.settle(run.result())).toMatchObject({
      name: "ChildFailedError",
      status: "canceled",
      message: expect.stringContaining("no more") as string,
    });
  });

  test("fails its parent when nobody catches that", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, (ctx) => ctx.call(failing, undefined));
    const process = await world.worker([failing, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    expect(await world.settle(rejection(run.result()))).toMatchObject({
      cause: { name: "ChildFailedError" },
    });
  });

  test("with an input that does not fit its schema rejects the call, and is never started", async () => {
    const world = new World();
    const strict = workflow({ name: "strict", input: z.object({ n: z.number() }) }, () => "never");
    const parent = workflow({ name: "parent" }, (ctx) =>
      rejection(ctx.call(strict, { n: "one" } as unknown as { n: number })),
    );
    const process = await world.worker([strict, parent]);
    expect(await process.execute(parent, undefined, { id: "r" })).toMatchObject({ name: "ValidationError" });
    expect(world.store.dump().runs.map(({ id }) => id)).toEqual(["r"]);
  });

  test("gets the input as it was when it was called", async () => {
    const world = new World();
    const echo = workflow({ name: "echo" }, (_ctx, input: { n: number }) => input);
    const parent = workflow({ name: "parent" }, (ctx) => {
      const input = { n: 1 };
      const called = ctx.call(echo, input);
      input.n = 2;
      return called;
    });
    const process = await world.worker([echo, parent]);
    expect(await process.execute(parent, undefined, { id: "r" })).toEqual({ n: 1 });
  });

  test("is awaited at the end of a parent that does not await it", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => void ctx.call(waiting, undefined));
    const process = await world.worker([waiting, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(60_000);
    expect(await world.settle(run.status())).toBe("waiting");
    await world.settle(process.client.get("r/waiting").signal("go"));
    await world.settle(run.result());
  });

  test("whose code nobody here has gets the version that its workers told of, and waits for one", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, (ctx) => ctx.call<number>("double", 21));
    const process = await world.worker([parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(1000);
    expect(world.run("r/double")).toMatchObject({ version: "1", raw: true, attempt: 0 });
    await world.worker([double]);
    expect(await world.settle(run.result())).toBe(42);
  });
});

describe("a child with an id of its own", () => {
  test("that exists already, ended or not, is waited for", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => [
      await ctx.call(double, 1, { id: "one" }),
      await ctx.call(waiting, undefined, { id: "w" }),
    ]);
    const process = await world.worker([double, waiting, parent]);
    await process.execute(double, 1, { id: "one" });
    const w = await process.start(waiting, undefined, { id: "w" });
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(1000);
    expect(world.run("w").parent).toBeNull();
    await world.settle(w.signal("go", "gone"));
    expect(await world.settle(run.result())).toEqual([2, "gone"]);
  });

  test("that is the caller itself, or no workflow at all, is a bug", async () => {
    const world = new World();
    const parent = workflow<string, unknown>({ name: "parent" }, (ctx, how) =>
      how === "itself"
        ? ctx.call("parent", how, { id: ctx.run.id })
        : ctx.call(undefined as unknown as string, how),
    );
    const process = await world.worker([parent]);
    for (const [how, message] of [
      ["itself", "run itself can't call itself: it would wait for its own end for ever"],
      ["nothing", "what a run calls or starts must be a workflow, as workflow() gives it, not undefined"],
    ] as const) {
      await process.start(parent, how, { id: how });
      await world.passUntil(() => world.run(how).stuck !== null);
      expect(world.run(how).stuck).toMatchObject({
        code: "BUG",
        message: expect.stringContaining(message) as string,
      });
    }
  });

  test("that belongs to something else rejects the call", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => [
      await rejection(ctx.call(double, 2, { id: "one" })),
      await rejection(ctx.start(double, 3, { id: "one", name: "other" })),
    ]);
    const process = await world.worker([double, parent]);
    await process.execute(double, 1, { id: "one" });
    for (const error of await process.execute(parent, undefined, { id: "r" })) {
      expect(error).toBeInstanceOf(RunConflictError);
      expect(error.message).toContain("one");
    }
  });
});

describe("when its parent closes", () => {
  async function family(policy: { readonly compensate?: true } = {}) {
    const world = new World();
    const child = workflow({ name: "child" }, async (ctx) => {
      await ctx.step("reserve", (step) => world.effect(step, "reserve"), {
        compensate: (_done, step) => world.effect(step, "release"),
      });
      await ctx.waitForSignal("go");
      return "done";
    });
    const parent = workflow({ name: "parent" }, async (ctx) => {
      await ctx.step("charge", (step) => world.effect(step, "charge"), {
        compensate: (_done, step) => world.effect(step, "refund"),
      });
      const compensate = policy.compensate && {
        compensate: (done: unknown, step: Parameters<World["effect"]>[0]) =>
          world.effect(step, `undo ${JSON.stringify(done)}`),
      };
      const result = await ctx.call(child, undefined, { ...compensate });
      await ctx.waitForSignal("on");
      return result;
    });
    const process = await world.worker([child, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(1000);
    return { world, process, run };
  }

  test("the child is canceled, and its parent undoes nothing before it has ended", async () => {
    const { world, run } = await family();
    await world.settle(run.cancel());
    expect(await world.settle(rejection(run.result()))).toMatchObject({ code: "RUN_CANCELED" });
    expect(world.run("r/child").end).toBe("canceled");
    expect(world.effectNames).toEqual(["charge", "reserve", "release", "refund"]);
    expect(world.journal("r").slice(2)).toEqual([
      "call child",
      "cancel",
      "child child",
      "unwinding canceled",
      "undo charge",
      "end canceled",
    ]);
  });

  test("a stuck child keeps its parent waiting, which says so", async () => {
    const world = new World();
    const child = workflow({ name: "child" }, async (ctx) => {
      ctx.compensate(
        "undo",
        () => {
          throw new FatalError("can't");
        },
        { retry: false },
      );
      await ctx.waitForSignal("go");
    });
    const parent = workflow({ name: "parent" }, (ctx) => ctx.call(child, undefined));
    const process = await world.worker([child, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(1000);
    await world.settle(run.cancel());
    await world.pass(60_000);
    expect(await world.settle(process.client.get("r/child").status())).toBe("stuck");
    expect(world.run("r")).toMatchObject({
      owner: null,
      end: null,
      waits: [{ kind: "child", key: "child" }],
    });
  });

  test("a completed child is undone by its `compensate`, and one that failed has undone itself", async () => {
    const { world, process, run } = await family({ compensate: true });
    await world.settle(process.client.get("r/child").signal("go"));
    await world.pass(1000);
    await world.settle(run.cancel());
    await world.settle(rejection(run.result()));
    expect(world.effectNames.slice(2)).toEqual(['undo {"outcome":"completed","result":"done"}', "refund"]);

    const failed = await family({ compensate: true });
    await failed.world.settle(failed.process.client.get("r/child").cancel());
    await failed.world.settle(rejection(failed.run.result()));
    expect(failed.world.effectNames.slice(2)).toEqual(["release", "refund"]);
  });

  test("without compensation the child is canceled without, and nobody waits for it", async () => {
    const { world, run } = await family();
    await world.settle(run.cancel({ compensate: false }));
    await world.settle(rejection(run.result()));
    await world.pass(1000);
    expect(world.run("r/child").end).toBe("canceled");
    expect(world.effectNames).toEqual(["charge", "reserve"]);
  });
});

describe("a call that is given up", () => {
  test("cancels the child of a branch that lost its race", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const { winner } = await ctx.race({
        child: () => ctx.call(waiting, undefined),
        timer: () => ctx.sleep("patience", "3s"),
      });
      await ctx.sleep("nap", "5m");
      return winner;
    });
    const process = await world.worker([waiting, parent]);
    expect(await process.execute(parent, undefined, { id: "r" })).toBe("timer");
    expect(world.run("r/waiting").end).toBe("canceled");
    expect(world.journal("r").slice(0, 3)).toEqual(["call waiting", "timer patience", "drop waiting"]);
  });

  test("cancels it also when it was on its way together with what won", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const { winner } = await ctx.race({
        called: () => ctx.call(waiting, undefined),
        started: () => ctx.start(double, 1),
      });
      await ctx.sleep("nap", "5m");
      return winner;
    });
    const process = await world.worker([waiting, double, parent]);
    expect(await process.execute(parent, undefined, { id: "r" })).toBe("started");
    expect(world.run("r/waiting").end).toBe("canceled");
    expect(world.journal("r").slice(0, 4)).toEqual([
      "call waiting",
      "start double",
      "drop waiting",
      "child waiting",
    ]);
  });

  test("is awaited before anything is undone: a child that completed all the same is undone", async () => {
    const world = new World();
    const gate = Promise.withResolvers<void>();
    const stubborn = workflow({ name: "stubborn" }, (ctx) => ctx.step("work", () => gate.promise));
    const parent = workflow({ name: "parent" }, async (ctx) => {
      await ctx.race({
        child: () => ctx.call(stubborn, undefined),
        timer: () => ctx.sleep("patience", "1s"),
      });
      ctx.compensate("own", (step) => world.effect(step, "undone"));
      await ctx.step("declined", () => {
        throw new FatalError("declined");
      });
    });
    const process = await world.worker([stubborn, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(2000);
    expect([world.run("r").end, world.effectNames]).toEqual([null, []]);
    expect(world.run("r").waits).toEqual([{ kind: "child", key: "stubborn", until: null }]);
    gate.resolve();
    await rejection(world.settle(run.result()));
    expect(world.journal("r").slice(3)).toEqual([
      "step declined",
      "child stubborn",
      "unwinding failed",
      "undo own",
      "end failed",
    ]);
  });

  test("by a signal of the code's own, beside native `Promise.race`", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const over = new AbortController();
      const { signal } = over;
      const first = await Promise.race([
        ctx.call(waiting, undefined, { signal }),
        ctx.sleep("patience", "3s", { signal }).then(() => "timer"),
        ctx.waitForSignal<string>("stop", { signal }),
      ]);
      over.abort();
      return { first, later: await ctx.waitForSignal("stop") };
    });
    const process = await world.worker([waiting, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(5000);
    await world.settle(run.signal("stop", "later"));
    expect(await world.settle(run.result())).toEqual({ first: "timer", later: "later" });
    expect(world.run("r/waiting").end).toBe("canceled");
  });

  test("cancels it also when its start was on its way", async () => {
    const world = new World();
    const over = new AbortController();
    let attempts = 0;
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const signal = attempts++ === 0 ? over.signal : new AbortController().signal;
      void ctx.call(waiting, undefined, { signal }).catch(() => undefined);
      return ctx.waitForSignal("stop");
    });
    const process = world.process();
    const commit = process.store.commit.bind(process.store);
    process.store.commit = async (request) => {
      const answer = await commit(request);
      if (world.store.dump().runs.some(({ id }) => id === "r/waiting")) over.abort();
      return answer;
    };
    await process.startWorker([waiting, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(1000);
    expect(world.run("r/waiting").end).toBe("canceled");
    await world.settle(run.signal("stop", "stopped"));
    expect(await world.settle(run.result())).toBe("stopped");
  });
});

describe("a detached run", () => {
  test("is durable when `start` resolves, and goes on when its parent has failed", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const { id } = await ctx.start(double, 4, { delay: "5m", tags: { of: "r" }, priority: 3 });
      expect(world.run(id)).toMatchObject({ tags: { of: "r" }, priority: 3, attempt: 0 });
      throw new FatalError(id);
    });
    const process = await world.worker([double, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    const error = await world.settle(rejection(run.result()));
    expect(error.message).toContain("r/double");
    expect(await world.settle(process.client.get("r/double").result())).toBe(8);
    expect(world.run("r/double").parent).toEqual({ runId: "r", key: "double", called: false });
  });
});

describe("many children", () => {
  test("10,000 of one run: each once, their results in order, and their parent was replayed a few times only", async () => {
    const world = new World();
    const inc = workflow({ name: "inc" }, (_ctx, n: number) => n + 1);
    const parent = workflow({ name: "parent" }, async (ctx, n: number) => {
      const all = await Promise.all(Array.from({ length: n }, (_, i) => ctx.call(inc, i)));
      return all.reduce((sum, one) => sum + one, 0);
    });
    const process = await world.worker([inc, parent]);
    expect(await process.execute(parent, 10_000, { id: "r" })).toBe(50_005_000);
    expect(world.run("r").attempt).toBeLessThan(10);
    expect(world.run("r").journal).toHaveLength(20_001);
  });

  test("`ctx.map` has at most so many under way, and gives the results in the order of the items", async () => {
    const world = new World();
    let underWay = 0;
    let most = 0;
    const slow = workflow({ name: "slow" }, (ctx, n: number) =>
      ctx.step("slow", async () => {
        most = Math.max(most, (underWay += 1));
        await new Promise<void>((resolve) => void process.clock.after(100 - n, resolve));
        underWay -= 1;
        return n * n;
      }),
    );
    const parent = workflow({ name: "parent" }, (ctx) =>
      ctx.map([...Array(30).keys()], (n) => ctx.call(slow, n), { concurrency: 4 }),
    );
    const process = await world.worker([slow, parent]);
    expect(await process.execute(parent, undefined)).toEqual([...Array(30).keys()].map((n) => n * n));
    expect(most).toBe(4);
  });

  test("`ctx.map` rejects with the first error, and begins nothing more", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      const error = await rejection(
        ctx.map(
          [1, 2, 3, 4, 5, 6],
          (n) =>
            ctx.step("odd", (step) => {
              world.effect(step, `${n}`);
              if (n === 3) throw new FatalError("three");
            }),
          { concurrency: 2 },
        ),
      );
      await ctx.sleep("nap", "5m");
      return error.message;
    });
    const process = await world.worker([parent]);
    expect(await process.execute(parent, undefined)).toContain("three");
    expect(world.effectNames).toEqual(["1", "2", "3", "4"]);
  });

  test("an aborted body does not keep the children from being told", async () => {
    const world = new World();
    const parent = workflow({ name: "parent" }, async (ctx) => {
      await Promise.all([ctx.call(waiting, undefined), ctx.step("stubborn", untilAborted)]);
    });
    const process = await world.worker([waiting, parent]);
    const run = await process.start(parent, undefined, { id: "r" });
    await world.pass(1000);
    await world.settle(run.cancel());
    await world.settle(rejection(run.result()));
    expect(world.run("r/waiting").end).toBe("canceled");
  });
});
