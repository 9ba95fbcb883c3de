/** `ctx.race`: the first branch wins in the order of the journal, the others are withdrawn. */
import { expect, test } from "vitest";
import { FatalError, type StepContext, workflow } from "../../src/index.ts";
import { gate, rejection, World } from "../support/world.ts";

test("a wait of a losing branch is withdrawn, also one that was not given the branch's signal", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      timer: () => ctx.sleep("patience", "3s"),
      signal: () => ctx.waitForSignal("go"),
    });
    return { winner, late: await ctx.waitForSignal("go") };
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(5000);
  await world.settle(run.signal("go", "late"));
  expect(await world.settle(run.result())).toEqual({ winner: "timer", late: "late" });
});

test("a signal that a withdrawn wait had got already goes to the next wait of that name", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      pivot: () => ctx.pivot("point"),
      signal: (signal) => ctx.waitForSignal("go", { signal }),
    });
    return { winner, go: await ctx.waitForSignal("go") };
  });
  const client = world.process();
  const run = await client.start(definition, undefined, { id: "r" });
  await world.settle(run.signal("go", "now"));
  await world.worker([definition]);
  expect(await world.settle(run.result())).toEqual({ winner: "pivot", go: "now" });
});

test("the step of a losing branch is aborted, awaited and recorded", async () => {
  const world = new World();
  const reasons: unknown[] = [];
  const over = gate();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      slow: () =>
        ctx.step("slow", async (step) => {
          step.signal.addEventListener("abort", () => reasons.push(step.signal.reason));
          await over.promise;
          return "late";
        }),
      fast: () => ctx.step("fast", () => "won"),
    });
    return winner;
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(2000);
  expect(reasons).toMatchObject([{ name: "AbortError" }]);
  expect(await world.settle(run.status())).toBe("running");
  over.open();
  expect(await world.settle(run.result())).toBe("fast");
  expect(world.journal("r")).toEqual(["step fast", "step slow", "end completed"]);
});

test("a step asked for by a branch that has lost already never begins", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      fast: () => ctx.step("fast", () => "won"),
      slow: async () => {
        await ctx.step("first", () => new Promise((resolve) => world.clock.after(2000, () => resolve(1))));
        return ctx.step("second", (step) => world.effect(step, "second"));
      },
    });
    await ctx.sleep("nap", "10s");
    return winner;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("fast");
  expect(world.effectNames).toEqual([]);
});

test("it rejects when the winner rejects", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.race({
      declined: () =>
        ctx.step("declined", () => {
          throw new FatalError("declined");
        }),
      timer: (signal) => ctx.sleep("patience", "1h", { signal }),
    });
  });
  const process = await world.worker([definition]);
  const error = await rejection(process.execute(definition, undefined, { id: "r" }));
  expect(error.cause).toMatchObject({ code: "STEP_FAILED", step: "declined" });
});

test("a race within a race: the inner one's waits are withdrawn with the outer branch", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      outer: () => ctx.sleep("outer", "2s"),
      nested: () =>
        ctx.race({
          signal: () => ctx.waitForSignal("go"),
          timer: () => ctx.sleep("inner", "1h"),
        }),
    });
    return { winner, go: await ctx.waitForSignal("go") };
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(5000);
  expect(world.run("r").waits).toEqual([{ kind: "signal", key: "go#2", until: null }]);
  await world.settle(run.signal("go", 1));
  expect(await world.settle(run.result())).toEqual({ winner: "outer", go: 1 });
});

test("a race that a nested race wins has its value", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.race({
      nested: () => ctx.race({ a: () => ctx.step("a", () => "A"), b: () => ctx.sleep("b", "1h") }),
      timer: () => ctx.sleep("outer", "1h"),
    }),
  );
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toEqual({
    winner: "nested",
    value: { winner: "a", value: "A" },
  });
});

test("the same branch wins on replay, whatever the others have done since", async () => {
  const world = new World();
  const winners: string[] = [];
  const inTurn = (ms: number) => () =>
    new Promise<number>((resolve) => world.clock.after(ms, () => resolve(ms)));
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      a: () => ctx.step("a", inTurn(300)),
      b: () => ctx.step("b", inTurn(200)),
      c: () => ctx.step("c", inTurn(400)),
    });
    winners.push(winner);
    await ctx.sleep("nap", "10s");
    await ctx.sleep("nap again", "10s");
    return winner;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("b");
  expect(winners).toEqual(["b", "b", "b"]);
});

const forever = (_step: StepContext): Promise<never> => new Promise(() => {});

test("a losing body that ignores its signal keeps the run owned until it settles", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, async (ctx) => {
    const { winner } = await ctx.race({
      stubborn: () => ctx.step("stubborn", forever),
      timer: () => ctx.sleep("patience", "2s"),
    });
    return winner;
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.pass(60_000);
  expect(await world.settle(run.status())).toBe("running");
});

test("a race without branches is a bug, told at once", async () => {
  const world = new World();
  const definition = workflow({ name: "w" }, (ctx) => ctx.race({}));
  const process = await world.worker([definition]);
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").stuck !== null);
  expect(world.run("r").stuck?.message).toContain("race");
});

test("a long-lived signal is not listened to by waits that are over", async () => {
  const world = new World();
  const listeners = new Set<unknown>();
  const { signal } = new AbortController();
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (...[type, listener, options]: Parameters<typeof add>) => {
    listeners.add(listener);
    add(type, listener, options);
  };
  const remove = signal.removeEventListener.bind(signal);
  signal.removeEventListener = (...[type, listener, options]: Parameters<typeof remove>) => {
    listeners.delete(listener);
    remove(type, listener, options);
  };
  const definition = workflow({ name: "w" }, async (ctx) => {
    for (let n = 0; n < 20; n++) await ctx.sleep("nap", 10, { signal });
    await ctx.waitForSignal("go", { timeout: 10, signal }).catch(() => {});
    return listeners.size;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe(0);
});
