/** P7: a signal sent before, during or after its wait is delivered once per wait, or refused loudly. */
import { expect, test } from "vitest";
import { z } from "zod";
import { type Context, workflow } from "../../src/index.ts";
import { codeOf, gate, nameOf, rejection, World } from "../support/world.ts";

function waiter(handler: (ctx: Context) => Promise<unknown>) {
  return workflow<undefined, unknown>({ name: "w" }, (ctx) => handler(ctx));
}

const one = waiter((ctx) => ctx.waitForSignal("go"));

test("F120: a signal sent before the run has begun is kept for its wait", async () => {
  const world = new World();
  const process = world.process();
  const run = await process.start(one, undefined, { id: "r" });
  await world.settle(run.signal("go", { early: true }));
  await world.worker([one]);
  expect(await world.settle(run.result())).toEqual({ early: true });
});

test("F120: a signal sent while a step executes is kept for the wait after it", async () => {
  const world = new World();
  const body = gate();
  const definition = waiter(async (ctx) => {
    await ctx.step("slow", () => body.promise);
    return ctx.waitForSignal("go");
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined);
  await world.pass(1000);
  await world.settle(run.signal("go", 7));
  body.open();
  expect(await world.settle(run.result())).toBe(7);
});

test("a signal wakes a parked run, within the same moment where there are hints", async () => {
  for (const hints of [true, false]) {
    const world = new World({ hints });
    const process = await world.worker([one]);
    const run = await process.start(one, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").owner === null);
    await world.pass(60_000);
    const sentAt = world.clock.monotonic();
    await world.settle(world.process().client.get(run.id).signal("go", 1));
    await world.passUntil(() => world.run("r").end !== null);
    expect(world.clock.monotonic() - sentAt).toBeLessThanOrEqual(hints ? 0 : 2000);
  }
});

test("a signal reaches a run whose body executes, also without any hint", async () => {
  const world = new World({ hints: false });
  const body = gate();
  const came: unknown[] = [];
  const definition = waiter(async (ctx) => {
    const signal = ctx.waitForSignal("go").then((payload) => came.push(payload));
    await Promise.all([signal, ctx.step("slow", () => body.promise)]);
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined);
  await world.pass(3000);
  await world.settle(world.process().client.get(run.id).signal("go", 7));
  await world.pass(1000);
  expect(came).toEqual([7]);
  body.open();
  await world.settle(run.result());
});

test("F12 F120: a signal that falls between the decision to park and the park is not lost", async () => {
  const definition = waiter(async (ctx) => {
    await ctx.step("before", () => 1);
    return ctx.waitForSignal("go");
  });
  // The first commit creates the run; each later one is preceded by the signal in one of the cases.
  for (const call of [2, 3]) {
    const world = new World({ hints: false });
    const process = await world.worker([definition]);
    const commit = process.store.commit.bind(process.store);
    let commits = 0;
    process.store.commit = async (batch) => {
      commits += 1;
      if (commits === call) await world.store.reopen().commit(signalWrite("r"));
      return commit(batch);
    };
    const run = await process.start(definition, undefined, { id: "r" });
    await world.pass(1000);
    if (commits < call) await world.settle(run.signal("go", "sent"));
    expect(await world.settle(run.result())).toBe("sent");
  }
});

function signalWrite(runId: string) {
  const message = { type: "signal", id: "s", name: "go", payload: '"sent"' } as const;
  return { writes: [{ kind: "message", runId, message } as const] };
}

test("the nth wait of a name gets the nth signal of that name; other names wait their turn", async () => {
  const world = new World();
  const definition = waiter(async (ctx) => {
    const first = await ctx.waitForSignal("go");
    const other = await ctx.waitForSignal("other");
    return [first, other, await ctx.waitForSignal("go")];
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  for (const [name, payload] of [
    ["go", 1],
    ["go", 2],
    ["other", 3],
  ] as const)
    await world.settle(run.signal(name, payload));
  expect(await world.settle(run.result())).toEqual([1, 3, 2]);
  expect(world.journal("r")).toEqual(["signal go", "signal other", "signal go#2", "end completed"]);
});

test("I14: parallel waits of one name get one signal each, in the order in which they were asked", async () => {
  const world = new World();
  const definition = waiter((ctx) => Promise.all([ctx.waitForSignal("go"), ctx.waitForSignal("go")]));
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined);
  await world.settle(run.signal("go", "first"));
  await world.settle(run.signal("go", "second"));
  expect(await world.settle(run.result())).toEqual(["first", "second"]);
});

test("F120: a signal with an id is accepted once", async () => {
  const world = new World();
  const definition = waiter(async (ctx) => [
    await ctx.waitForSignal("go"),
    await ctx.waitForSignal("go", { timeout: "10s" }).catch(codeOf),
  ]);
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined);
  await world.settle(run.signal("go", 1, { id: "webhook-1" }));
  await world.settle(run.signal("go", 2, { id: "webhook-1" }));
  expect(await world.settle(run.result())).toEqual([1, "SIGNAL_TIMEOUT"]);
  await world.settle(run.signal("go", 3, { id: "webhook-1" }));
});

test("P7: a signal to a run that has ended, or that does not exist, is refused", async () => {
  const world = new World();
  const process = await world.worker([one]);
  const run = await process.start(one, undefined);
  await world.settle(run.signal("go"));
  await world.settle(run.result());
  expect(await rejection(world.settle(run.signal("go")))).toMatchObject({ code: "RUN_ENDED" });
  expect(await rejection(world.settle(process.client.get("nobody").signal("go")))).toMatchObject({
    code: "RUN_NOT_FOUND",
  });
});

test("a wait without an answer rejects with SignalTimeoutError, no earlier than its timeout", async () => {
  const world = new World();
  const definition = waiter(async (ctx) => {
    const error = await rejection(ctx.waitForSignal("go", { timeout: "60s" }));
    return [error.name, ctx.now().getTime() - ctx.run.startedAt.getTime()];
  });
  const process = await world.worker([definition]);
  const [name, ms] = (await process.execute(definition, undefined)) as [string, number];
  expect(name).toBe("SignalTimeoutError");
  expect(ms).toBeGreaterThanOrEqual(60_000);
  expect(ms).toBeLessThan(60_100);
});

test("F121: of a signal and a timeout at the same instant one wins, the same ever after", async () => {
  const world = new World();
  const outcomes: unknown[] = [];
  const definition = waiter(async (ctx) => {
    outcomes.push(await ctx.waitForSignal("go", { timeout: "60s" }).catch(codeOf));
    await ctx.sleep("nap", "60s");
    return outcomes.at(-1);
  });
  const process = world.process();
  const worker = await process.startWorker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").owner === null);
  await world.settle(worker.stop());
  await world.pass((world.run("r").dueAt ?? 0) - world.clock.now());
  await world.settle(run.signal("go", "in time"));
  await world.worker([definition]);
  expect(await world.settle(run.result())).toBe("in time");
  expect(outcomes).toEqual(["in time", "in time"]);
});

test("a signal that comes after the timeout is kept for the next wait, however late the run looks", async () => {
  const world = new World();
  const definition = waiter(async (ctx) => [
    await ctx.waitForSignal("go", { timeout: "60s" }).catch(codeOf),
    await ctx.waitForSignal("go"),
  ]);
  const process = world.process();
  const worker = await process.startWorker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").owner === null);
  await world.settle(worker.stop());
  await world.pass(120_000);
  await world.settle(run.signal("go", "late"));
  await world.worker([definition]);
  expect(await world.settle(run.result())).toEqual(["SIGNAL_TIMEOUT", "late"]);
});

test("a schema validates the payload and types it; a bad one rejects the wait, on replay as well", async () => {
  const world = new World();
  const schema = z.object({ amount: z.coerce.number() });
  const seen: unknown[] = [];
  const definition = waiter(async (ctx) => {
    const bad = await ctx.waitForSignal("pay", { schema }).catch(codeOf);
    const { amount } = await ctx.waitForSignal("pay", { schema });
    seen.push([bad, amount]);
    await ctx.sleep("nap", "10s");
    return amount;
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined);
  await world.settle(run.signal("pay", { amount: "many" }));
  await world.settle(run.signal("pay", { amount: "42" }));
  expect(await world.settle(run.result())).toBe(42);
  expect(seen).toEqual([
    ["VALIDATION", 42],
    ["VALIDATION", 42],
  ]);
});

test("a wait that was given up gives a signal it had got already back to the next wait", async () => {
  const world = new World();
  const definition = waiter(async (ctx) => {
    const controller = new AbortController();
    const given = ctx.step("give up", () => 1).then(() => controller.abort(new Error("given up")));
    const first = ctx.waitForSignal("go", { signal: controller.signal }).catch(() => "given up");
    await given;
    return [await first, await ctx.waitForSignal("go")];
  });
  const process = world.process();
  const run = await process.start(definition, undefined, { id: "r" });
  await world.worker([definition]);
  await world.pass(100);
  await world.settle(run.signal("go", "kept"));
  expect(await world.settle(run.result())).toEqual(["given up", "kept"]);
});

test("F91: signals every millisecond during a step disturb neither the step nor the run", async () => {
  const world = new World();
  const definition = waiter(async (ctx) => {
    await ctx.step("slow", async (step) => {
      world.effect(step, "slow");
      await new Promise<void>((resolve) => world.clock.after(300, resolve));
    });
    const got: unknown[] = [];
    for (let n = 0; n < 300; n++) got.push(await ctx.waitForSignal("tick"));
    return got;
  });
  const process = await world.worker([definition]);
  const run = await process.start(definition, undefined);
  for (let n = 0; n < 300; n++) {
    await world.settle(run.signal("tick", n));
    await world.pass(1);
  }
  expect(await world.settle(run.result())).toEqual(Array.from({ length: 300 }, (_, n) => n));
  expect(world.effectNames).toEqual(["slow"]);
});

test.each(["", "a#b", "a[b]", "x".repeat(201)])("a signal's name %j is refused", async (name) => {
  const { client } = new World().process();
  expect(() => client.get("r").signal(name)).toThrow(/signal/);
});

test("F121: a signal that was accepted in time wins, also where nobody told the worker of it before the deadline", async () => {
  const world = new World({ hints: false });
  const waits = workflow({ name: "w" }, (ctx) =>
    ctx.waitForSignal<string>("approval", { timeout: 400 }).catch(nameOf),
  );
  const process = await world.worker([waits]);
  const [early, late] = [
    await process.start(waits, undefined, { id: "early" }),
    await process.start(waits, undefined, { id: "late" }),
  ];
  const outside = world.process().client;
  await world.pass(300);
  await world.settle(outside.get("early").signal("approval", "yes"));
  expect(await world.settle(early.result())).toBe("yes");
  await world.passUntil(() => world.run("late").end !== null);
  expect(await world.settle(late.result())).toBe("SignalTimeoutError");
});
