import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type AnyWorkflow,
  type Context,
  FatalError,
  InvalidArgumentError,
  ResultTimeoutError,
  RetryAfterError,
  RunFailedError,
  RunNotFoundError,
  workflow,
} from "../../src/index.ts";
import {
  memoryStore,
  type TestWorker,
  type TestWorkerOptions,
  testWorker,
  virtualClock,
} from "../../src/testing/index.ts";
import { gate, rejection, untilAborted } from "../support/world.ts";

async function workerOf(
  workflows: AnyWorkflow | readonly AnyWorkflow[],
  options: Omit<TestWorkerOptions, "workflows" | "store"> = {},
): Promise<TestWorker> {
  const worker = await testWorker({ workflows: [workflows].flat(), patience: 300, ...options });
  onTestFinished(() => worker.stop());
  return worker;
}

/** A few milliseconds, more of them on a busy machine; tick by tick, it would be more than a million ticks. */
const QUICK_MS = 5_000;

const stripe = (): string => {
  throw new Error("a test must not charge a card");
};

const order = workflow({ name: "order" }, async (ctx: Context, cents: number) => {
  const charge = await ctx.step("charge", stripe, {
    compensate: () => {
      throw new Error("a test must not refund a card");
    },
  });
  await ctx.sleep("cooling-off", "14d");
  const approval = await ctx.waitForSignal<{ by: string }>("approval", { timeout: "30d" });
  return `${charge} of ${cents}, by ${approval.by}`;
});

describe("a worker in virtual time", () => {
  test("an order from its charge to its approval, weeks later", async () => {
    const worker = await workerOf(order);
    worker.mock("charge", () => "ch_1");
    const run = await worker.start(order, 1999, { id: "42" });
    await worker.idle();
    expect(await worker.outline(run)).toEqual(["started charge", "step charge"]);
    expect(await run.status()).toBe("waiting");

    await worker.skip("14d");
    expect(await worker.outline("42")).toEqual(["started charge", "step charge", "timer cooling-off"]);
    expect(worker.clock.now()).toBe(Date.UTC(2026, 0, 15));

    await worker.signal(run, "approval", { by: "ada" });
    expect(await worker.result(run)).toBe("ch_1 of 1999, by ada");
    expect((await worker.journal(run)).map(({ value }) => value)).toEqual([
      undefined,
      "ch_1",
      undefined,
      { by: "ada" },
      undefined,
    ]);
    expect(worker.calls).toEqual([
      { run: "42", step: "charge", of: "step", by: "mock", attempt: 1, idempotencyKey: "42/charge" },
    ]);
  });

  test("the handle's own result lets time pass as well", async () => {
    const nap = workflow({ name: "nap" }, async (ctx) => {
      await ctx.sleep("nap", "2w");
      return ctx.now().toISOString();
    });
    const worker = await workerOf(nap);
    const run = await worker.start(nap, null);
    expect(await run.result()).toBe("2026-01-15T00:00:00.000Z");
  });

  test("a result that has a timeout is waited for no longer, in virtual time", async () => {
    const nap = workflow({ name: "nap" }, async (ctx) => ctx.sleep("nap", "2w"));
    const worker = await workerOf(nap);
    const run = await worker.start(nap, null);
    expect(await rejection(run.result({ timeout: "1d" }))).toBeInstanceOf(ResultTimeoutError);
    expect(worker.clock.now()).toBe(Date.UTC(2026, 0, 2));
    await run.result({ timeout: "2w" });
  });

  test("what the client waits for is over at its own instant", async () => {
    const waits = workflow({ name: "waits" }, (ctx) => ctx.waitForSignal("go"));
    const worker = await workerOf(waits);
    const { id } = await worker.start(waits, null);
    const late = rejection(worker.client.get(id).result({ timeout: "1d" })).then(() => worker.clock.now());
    await worker.skip("30d");
    expect(await late).toBe(Date.UTC(2026, 0, 2));
  });

  test("results of several runs can be asked for together", async () => {
    const nap = workflow({ name: "nap" }, async (ctx, days: number) => {
      await ctx.sleep("nap", `${days}d`);
      return days;
    });
    const worker = await workerOf(nap);
    const runs = await Promise.all([3, 1, 2].map((days) => worker.start(nap, days)));
    expect(await Promise.all(runs.map((run) => worker.result(run)))).toEqual([3, 1, 2]);
  });

  test("what becomes due happens at its own instant, those that the test's own timers bring about too", async () => {
    const seen: string[] = [];
    const ticks = workflow({ name: "ticks" }, async (ctx) => {
      for (let day = 1; day <= 3; day++) {
        await ctx.sleep("day", "1d");
        await ctx.step("note", () => void seen.push(new Date(worker.clock.now()).toISOString()));
      }
      await ctx.waitForSignal("stop");
      await ctx.step("note", () => void seen.push(`stopped ${new Date(worker.clock.now()).toISOString()}`));
    });
    const worker = await workerOf(ticks);
    const run = await worker.start(ticks, null);
    worker.clock.after(86_400_000 * 5 + 1234, () => void run.signal("stop"));
    await worker.skip("30d");
    expect(seen).toEqual([
      "2026-01-02T00:00:00.000Z",
      "2026-01-03T00:00:00.000Z",
      "2026-01-04T00:00:00.000Z",
      "stopped 2026-01-06T00:00:01.234Z",
    ]);
    expect(worker.clock.now()).toBe(Date.UTC(2026, 0, 31));
  });

  test("years are skipped in no time, and the worker goes on", async () => {
    const nap = workflow({ name: "nap" }, async (ctx, name: string) => ctx.sleep(name, "30d"));
    const worker = await workerOf(nap);
    const idle = performance.now();
    await worker.skip("3650d");
    expect(performance.now() - idle).toBeLessThan(QUICK_MS);
    await Promise.all(["a", "b", "c"].map((name) => worker.start(nap, name)));
    const busy = performance.now();
    await worker.skip("30d");
    expect(performance.now() - busy).toBeLessThan(QUICK_MS);
    expect(await worker.client.runs.count({ status: "completed" })).toBe(3);
  });

  test("a store and a clock of the test's own are used", async () => {
    const clock = virtualClock({ start: 0 });
    const store = memoryStore({ clock, hints: false });
    const nap = workflow({ name: "nap" }, async (ctx) => ctx.sleep("nap", "30d"));
    const worker = await testWorker({ workflows: [nap], store, clock });
    await worker.result(await worker.start(nap, null, { id: "a" }));
    expect(store.dump().runs[0]?.endedAt).toBeLessThan(86_400_000 * 30 + 2001);
    await worker.stop();
  });

  test("a workflow that was not given is refused", async () => {
    const worker = await workerOf(order);
    const other = workflow({ name: "order", version: "2" }, () => null);
    expect(await rejection(worker.start(other, null))).toBeInstanceOf(InvalidArgumentError);
  });

  test("a duration that makes no sense is refused, and nothing passes", async () => {
    const worker = await workerOf(order);
    for (const wrong of ["soon", -1, Number.NaN])
      expect(await rejection(worker.skip(wrong))).toBeInstanceOf(InvalidArgumentError);
    expect(worker.clock.now()).toBe(Date.UTC(2026, 0, 1));
  });
});

describe("mocks and failures", () => {
  const pack = workflow({ name: "pack" }, async (ctx: Context, items: readonly string[]) => {
    const packed = await Promise.all(items.map((item) => ctx.step("pack", () => `${item}!`, { key: item })));
    const twice = [await ctx.step("weigh", () => 1), await ctx.step("weigh", () => 2)];
    return [...packed, ...twice];
  });

  test("a mock stands for a name, and one for a key goes before", async () => {
    const worker = await workerOf(pack);
    worker.mock("pack", () => "packed");
    worker.mock("pack[a]/%#~]", () => "odd");
    worker.mock("weigh#2", () => 22);
    const run = await worker.start(pack, ["a]/%#~", "lamp"], { id: "r/%" });
    expect(await worker.result(run)).toEqual(["odd", "packed", 1, 22]);
    expect(worker.calls.map(({ step, by, idempotencyKey }) => `${step} ${by} ${idempotencyKey}`)).toEqual([
      "pack[a]/%#~] mock r%2F%25/pack[a]%2F%25#%7E]",
      "pack[lamp] mock r%2F%25/pack[lamp]",
      "weigh body r%2F%25/weigh",
      "weigh#2 mock r%2F%25/weigh#2",
    ]);
  });

  test("a mock gets the step and the real body, and unmock gives the body back", async () => {
    const worker = await workerOf(pack);
    worker.mock("pack", async (step, body) => `${String(await body())} under ${step.idempotencyKey}`);
    expect(await worker.result(await worker.start(pack, ["x"], { id: "1" }))).toEqual([
      "x! under 1/pack%5Bx]".replace("%5B", "["),
      1,
      2,
    ]);
    worker.unmock("pack");
    expect(await worker.result(await worker.start(pack, ["x"]))).toEqual(["x!", 1, 2]);
  });

  test("a step fails as often as told, and then its mock is called", async () => {
    const worker = await workerOf(order);
    worker.mock("charge", ({ attempt }) => `ch_${attempt}`);
    worker.fail("charge", { times: 3, error: new Error("down") });
    const run = await worker.start(order, 1);
    await worker.skip("1m");
    expect(worker.calls.map(({ by, attempt }) => `${by} ${attempt}`)).toEqual([
      "fail 1",
      "fail 2",
      "fail 3",
      "mock 4",
    ]);
    expect(await worker.outline(run)).toEqual(["started charge", "step charge"]);
  });

  test("failures count by key first, then by name", async () => {
    const worker = await workerOf(pack);
    worker.fail("pack[b]");
    worker.fail("pack", { times: 2 });
    await worker.result(await worker.start(pack, ["a", "b"]));
    const failed = worker.calls.filter(({ by }) => by === "fail").map(({ step }) => step);
    expect(failed.toSorted()).toEqual(["pack[a]", "pack[a]", "pack[b]"]);
  });

  test("a failure beyond the policy, a FatalError of a mock, and a wish to wait", async () => {
    const few = workflow({ name: "few" }, async (ctx) =>
      ctx.step("send", () => "sent", { retry: { maxAttempts: 2 } }),
    );
    const worker = await workerOf(few);
    worker.fail("send", { times: 5, error: new Error("down") });
    const failed = await rejection(worker.result(await worker.start(few, null)));
    expect(failed).toBeInstanceOf(RunFailedError);
    expect(failed.message).toContain("down");
    expect(worker.calls).toHaveLength(2);

    worker.unmock("send");
    worker.mock("send", () => {
      throw new FatalError("declined", { code: "card_declined" });
    });
    expect((await rejection(worker.result(await worker.start(few, null)))).message).toContain("declined");

    worker.unmock("send");
    worker.fail("send", { error: new RetryAfterError("later", { after: "3h" }) });
    const before = worker.clock.now();
    expect(await worker.result(await worker.start(few, null))).toBe("sent");
    expect(worker.clock.now()).toBe(before + 3 * 3_600_000);
  });

  test("compensations and inDoubt functions are mocked and failed on their own", async () => {
    const saga = workflow({ name: "saga" }, async (ctx) => {
      ctx.compensate("release", () => {
        throw new Error("real");
      });
      await ctx.step("charge", stripe, { compensate: stripe, inDoubt: stripe as never });
      throw new Error("no stock");
    });
    const worker = await workerOf(saga);
    worker.mock("charge", async (_, body) => {
      await worker.crash();
      return body();
    });
    worker.mock("charge", async () => ({ result: "ch_1" }), { of: "inDoubt" });
    worker.mock("charge", () => null, { of: "undo" });
    worker.mock("release", () => null, { of: "undo" });
    worker.fail("release", { of: "undo", times: 2 });
    const run = await worker.start(saga, null, { id: "1" });
    expect((await rejection(worker.result(run))).message).toContain("no stock");
    expect(
      worker.calls.map(({ step, of, by, idempotencyKey }) => `${of} ${step} ${by} ${idempotencyKey}`),
    ).toEqual([
      "step charge mock 1/charge",
      "inDoubt charge mock 1/charge",
      "undo charge mock 1/charge/undo",
      "undo release fail 1/release/undo",
      "undo release fail 1/release/undo",
      "undo release mock 1/release/undo",
    ]);
    expect(await worker.outline(run)).toEqual([
      "started charge",
      "step charge",
      "unwinding failed",
      "undo charge",
      "undo release",
      "end failed",
    ]);
  });

  test("arguments that make no sense are refused", async () => {
    const worker = await workerOf(order);
    expect(() => worker.mock("", () => 1)).toThrow(InvalidArgumentError);
    expect(() => worker.mock("charge", 1 as never)).toThrow(InvalidArgumentError);
    for (const times of [0, -1, 1.5, Number.NaN])
      expect(() => worker.fail("charge", { times })).toThrow(InvalidArgumentError);
  });

  test("a query builder of a body is awaited once", async () => {
    let executed = 0;
    const builder = {
      then: (resolve: (value: number) => void) => resolve(++executed),
    };
    const query = workflow({ name: "query" }, (ctx) => ctx.step("query", () => builder as never));
    const worker = await workerOf(query);
    expect(await worker.result(await worker.start(query, null))).toBe(1);
  });
});

describe("signals", () => {
  test("a signal before its wait, in the middle of a body, is taken when the wait comes", async () => {
    const first = workflow({ name: "first" }, async (ctx) => {
      await ctx.step("slow", () => null);
      return ctx.waitForSignal("go", { timeout: "1h" });
    });
    const worker = await workerOf(first);
    const body = gate();
    worker.mock("slow", () => body.promise);
    const run = await worker.start(first, null);
    await worker.signal(run, "go", 7, { id: "event-1" });
    await worker.signal(run, "go", 8, { id: "event-1" });
    body.open();
    expect(await worker.result(run)).toBe(7);
  });

  test("of a race, the branch whose time comes first wins", async () => {
    const raced = workflow({ name: "raced" }, (ctx) =>
      ctx.race({
        paid: (signal) => ctx.waitForSignal("paid", { signal }),
        late: (signal) => ctx.sleep("late", "3d", { signal }),
      }),
    );
    const worker = await workerOf(raced);
    const [paid, late] = [await worker.start(raced, null), await worker.start(raced, null)];
    await worker.skip("2d");
    await worker.signal(paid, "paid", "cash");
    expect(await worker.result(paid)).toEqual({ winner: "paid", value: "cash" });
    expect(await worker.result(late)).toMatchObject({ winner: "late" });
  });

  test("a signal to no run is refused", async () => {
    const worker = await workerOf(order);
    expect(await rejection(worker.signal("nobody", "go"))).toBeInstanceOf(RunNotFoundError);
    expect(await rejection(worker.result("nobody"))).toBeInstanceOf(RunNotFoundError);
  });
});

describe("what can't go on", () => {
  test("a run that waits for a signal: its result says for which", async () => {
    const waits = workflow({ name: "waits" }, (ctx) => ctx.waitForSignal("approval"));
    const worker = await workerOf(waits);
    const run = await worker.start(waits, null);
    const error = await rejection(worker.result(run));
    expect(error.message).toContain("waits for signal approval");
    await worker.signal(run, "approval", 1);
    expect(await worker.result(run)).toBe(1);
  });

  test("a run that a bug has stuck: its result says why", async () => {
    const buggy = workflow({ name: "buggy" }, async (ctx) => {
      await ctx.step("fine", () => 1);
      return (undefined as unknown as { length: number }).length;
    });
    const worker = await workerOf(buggy);
    expect((await rejection(worker.result(await worker.start(buggy, null)))).message).toContain("TypeError");
  });

  test("a step that fails for ever: its result gives up, and says which", async () => {
    const stubborn = workflow({ name: "stubborn" }, (ctx) => ctx.step("send", () => null));
    const worker = await workerOf(stubborn);
    worker.fail("send", { times: Number.POSITIVE_INFINITY, error: new Error("ECONNREFUSED") });
    const run = await worker.start(stubborn, null);
    const error = await rejection(worker.result(run));
    expect(error.message).toContain("Retrying send");
    expect(error.message).toContain("ECONNREFUSED");
  });

  test("a body that never ends: idle says which, skip passes over it", async () => {
    const hung = workflow({ name: "hung" }, (ctx) =>
      ctx.step("hang", untilAborted, { timeout: "1h", retry: false }),
    );
    const worker = await workerOf(hung);
    const run = await worker.start(hung, null, { id: "7" });
    expect((await rejection(worker.idle())).message).toContain("run 7: the body of hang has not ended");
    await worker.skip("1h");
    expect((await rejection(worker.result(run))).message).toContain("took longer than its timeout");
    await worker.idle();
  });

  test("a body that never ends and has no timeout: its run's result says which, and weeks are skipped over it", async () => {
    const hung = workflow({ name: "hung" }, (ctx) => ctx.step("hang", () => new Promise<never>(() => {})));
    const worker = await workerOf(hung);
    const run = await worker.start(hung, null, { id: "7" });
    expect((await rejection(worker.result(run))).message).toContain("the body of hang has not ended");
    const since = performance.now();
    await worker.skip("30d");
    expect(performance.now() - since).toBeLessThan(QUICK_MS);
  });

  test("a body that takes real time is waited for", async () => {
    const slow = workflow({ name: "slow" }, async (ctx) => {
      await Promise.all([1, 2, 3].map((n) => ctx.step("work", () => n, { key: String(n) })));
      return ctx.now().getTime();
    });
    const worker = await workerOf(slow, { patience: 5000 });
    worker.mock("work", () => new Promise((resolve) => setTimeout(resolve, 60)));
    const run = await worker.start(slow, null);
    await worker.idle();
    expect(await run.status()).toBe("completed");
    expect(await worker.result(run)).toBe(Date.UTC(2026, 0, 1));
  });
});

describe("odd programs", () => {
  test("a handler that awaits something of its own is waited for, and hardly any virtual time passes", async () => {
    const own = workflow({ name: "own" }, async (ctx) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await ctx.step("work", () => 1);
      return worker.clock.now();
    });
    const worker = await workerOf(own, { patience: 5000 });
    expect(await worker.result(await worker.start(own, null))).toBeLessThan(Date.UTC(2026, 0, 1, 0, 0, 20));
  });

  test("a body that waits for the test worker itself ends nobody's test", async () => {
    const inside = workflow({ name: "inside" }, (ctx) => ctx.step("skips", () => worker.skip("1d")));
    const worker = await workerOf(inside);
    const run = await worker.start(inside, null);
    expect((await rejection(worker.idle())).message).toContain("the body of skips has not ended");
    await worker.result(run);
  });

  test("a body that starts a run and signals another", async () => {
    const child = workflow({ name: "child" }, async (ctx, parent: string) => {
      await ctx.sleep("nap", "2d");
      await ctx.step("tell", () => worker.signal(parent, "done", "child"));
    });
    const parent = workflow({ name: "parent" }, async (ctx) => {
      await ctx.step("begin", async () => void (await worker.start(child, ctx.run.id, { id: "child" })));
      return ctx.waitForSignal("done");
    });
    const worker = await workerOf([parent, child], { concurrency: 1 });
    expect(await worker.result(await worker.start(parent, null))).toBe("child");
    await worker.result("child");
  });

  test("two workers on one store and one clock", async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const nap = workflow({ name: "nap" }, async (ctx) => {
      await ctx.sleep("nap", "1h");
      return ctx.step("where", () => "real");
    });
    const workers = await Promise.all(
      [1, 2].map((no) => testWorker({ workflows: [nap], store: store.reopen(), clock, seed: String(no) })),
    );
    for (const worker of workers) worker.mock("where", () => "mocked");
    const runs = await Promise.all(workers.map((worker) => worker.start(nap, null)));
    const [one, two] = workers;
    expect(await one?.result(runs[1]?.id ?? "")).toBe("mocked");
    await one?.crash();
    expect(await two?.result(runs[0]?.id ?? "")).toBe("mocked");
    for (const worker of workers) await worker.stop();
  });

  test("a run of a version that nobody has: its result says so", async () => {
    const worker = await workerOf(order);
    const old = workflow({ name: "order", version: "0" }, () => null);
    const run = await worker.client.start(old, null);
    expect((await rejection(worker.result(run.id))).message).toContain(
      "no live worker has workflow order in version 0",
    );
    await worker.skip("1d");
  });

  test("what is encrypted is read", async () => {
    const codec = {
      encode: (text: string) => `sealed ${text}`,
      decode: (text: string) => text.replace(/^sealed /, ""),
    };
    const worker = await workerOf(order, { codec });
    worker.mock("charge", () => "ch_1");
    const run = await worker.start(order, 1, { delay: "3d" });
    await worker.signal(run, "approval", { by: "bob" });
    expect(await worker.result(run)).toBe("ch_1 of 1, by bob");
    expect((await worker.journal(run))[1]).toMatchObject({ key: "charge", value: "ch_1" });
  });

  test("a stopped worker lets go of what executes, and stops twice", async () => {
    const hung = workflow({ name: "hung" }, (ctx) => ctx.step("hang", untilAborted));
    const worker = await workerOf(hung);
    const run = await worker.start(hung, null);
    await worker.idle().catch(() => {});
    await worker.stop();
    expect(await run.status()).toBe("ready");
    await worker.stop();
    for (const late of [worker.idle(), worker.skip(1), worker.result(run), worker.crash()])
      expect((await rejection(late)).message).toContain("was stopped");
  });
});

describe("crashes", () => {
  const two = workflow({ name: "two" }, async (ctx) => {
    await ctx.step("first", () => 1);
    await ctx.step("second", () => 2);
    await ctx.sleep("nap", "1d");
    return "done";
  });

  test("the process dies in the middle of a body: another one runs it again, under the same key", async () => {
    const worker = await workerOf(two);
    let deaths = 0;
    worker.mock("second", async (_, body) => {
      const result = await body();
      if (deaths++ === 0) await worker.crash();
      return result;
    });
    const run = await worker.start(two, null, { id: "1" });
    await worker.idle();
    expect(worker.calls.map(({ idempotencyKey, attempt }) => `${idempotencyKey} ${attempt}`)).toEqual([
      "1/first 1",
      "1/second 1",
      "1/second 1",
    ]);
    expect(await run.result()).toBe("done");
  });

  test("the process dies while all sleeps, and again: nothing is run again", async () => {
    const worker = await workerOf(two);
    const run = await worker.start(two, null);
    await worker.idle();
    await worker.crash();
    await worker.crash();
    expect(await worker.result(run)).toBe("done");
    expect(worker.calls).toHaveLength(2);
  });

  test("a signal that was sent while no process lived is taken", async () => {
    const waits = workflow({ name: "waits" }, (ctx) => ctx.waitForSignal("go"));
    const worker = await workerOf(waits);
    const run = await worker.start(waits, null);
    const crashed = worker.crash();
    await worker.signal(run, "go", 1);
    await crashed;
    expect(await worker.result(run)).toBe(1);
  });
});

describe("in real time", () => {
  const packing = workflow({ name: "packing" }, async (ctx) => {
    await ctx.step("pack", () => wait(250));
    await ctx.sleep("dry", "1200ms");
    return ctx.step("label", () => "packed");
  });
  const shipping = workflow({ name: "shipping" }, (ctx) => ctx.call(packing, undefined));

  test("a run whose child takes its time is not beyond help", async () => {
    await using worker = await testWorker({
      workflows: [shipping, packing],
      store: memoryStore(),
      patience: 50,
    });
    expect(await worker.result(await worker.start(shipping, undefined))).toBe("packed");
  });

  test("a run whose child nobody executes is", async () => {
    await using worker = await testWorker({ workflows: [shipping], store: memoryStore(), patience: 50 });
    const run = await worker.start(shipping, undefined, { id: "1" });
    expect((await rejection(worker.result(run))).message).toMatch(
      /can't go on by itself.*waits for child 1\/packing/,
    );
  });
});
