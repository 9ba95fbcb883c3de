/** An observer is told what happens, in order and after the fact, and can neither fail nor slow it. */
import { describe, expect, test } from "vitest";
import {
  FatalError,
  type Observer,
  type RunEvent,
  type StepEnded,
  transactStep,
  workflow,
} from "../../src/index.ts";
import { ObserverFeed } from "../../src/runtime/observer-feed.ts";
import { virtualClock } from "../../src/testing/index.ts";
import { gate, rejection, untilAborted, World } from "../support/world.ts";

/** `step.ended charge#1 ok`: what a line of a story needs. */
function lineOf(event: RunEvent): string {
  const parts: readonly (string | undefined)[] = [
    event.type,
    "step" in event ? `${event.step}#${event.attempt}` : undefined,
    "body" in event && event.body !== "step" ? event.body : undefined,
    "outcome" in event ? event.outcome : undefined,
    "status" in event ? event.status : undefined,
    "replayed" in event && event.replayed ? "replayed" : undefined,
    "what" in event ? `${event.what} ${event.to}` : undefined,
    "code" in event ? event.code : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(" ");
}

class Story {
  readonly events: RunEvent[] = [];
  readonly observer: Observer = (event) => {
    this.events.push(event);
  };

  get lines(): readonly string[] {
    return this.events.map(lineOf);
  }

  of<T extends RunEvent["type"]>(type: T): (RunEvent & { readonly type: T })[] {
    return this.events.filter((event): event is RunEvent & { readonly type: T } => event.type === type);
  }
}

const never: Observer = () => {
  throw new Error("this observer always fails");
};

test("a run's story, from the worker that joins to the run that ends", async () => {
  const world = new World();
  const story = new Story();
  const definition = workflow({ name: "order", version: "2" }, async (ctx) => {
    await ctx.step("charge", async (step) => {
      await new Promise<void>((resolve) => world.clock.after(30, resolve));
      if (step.attempt === 1) throw new Error("busy");
    });
    await ctx.sleep("cool", "1h");
    await transactStep(ctx, "book", () => 1);
    await ctx.step("mail", () => {});
  });
  const process = await world.worker([definition], { observer: story.observer });
  const run = await process.start(definition, undefined, { id: "r" });
  await world.settle(run.result(), 7_200_000);
  await world.pass(10);
  expect(story.lines).toEqual([
    "worker.joined",
    "run.began",
    "step.began charge#1",
    "step.ended charge#1 failed",
    "step.retried charge#1",
    "step.began charge#2",
    "step.ended charge#2 ok",
    "run.parked",
    "run.began replayed",
    "step.began book#1",
    "step.ended book#1 ok",
    "step.began mail#1",
    "step.ended mail#1 ok",
    "run.ended completed",
  ]);
  expect(story.of("step.ended")[0]).toMatchObject({
    run: "r",
    workflow: "order",
    version: "2",
    runAttempt: 1,
    ms: 30,
    error: expect.objectContaining({ message: "busy" }) as Error,
  });
  const [retried] = story.of("step.retried");
  expect(retried?.nextAt.getTime()).toBeGreaterThanOrEqual(retried?.at.getTime() ?? Number.NaN);
  expect(story.of("run.parked")[0]?.dueAt?.getTime()).toBeGreaterThan(world.clock.now() - 10_000);
  expect(story.of("run.ended")[0]?.ms).toBeGreaterThan(3_600_000);
  expect(story.of("run.ended")[0]).not.toHaveProperty("error");
});

test("what fails for good, and what is undone for it", async () => {
  const world = new World();
  const story = new Story();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("charge", () => 1, { compensate: () => {} });
    await ctx.step("ship", () => {
      throw new FatalError("no stock", { code: "no_stock" });
    });
  });
  const process = await world.worker([definition], { observer: story.observer });
  const run = await process.start(definition, undefined, { id: "r" });
  await rejection(world.settle(run.result()));
  await world.pass(10);
  expect(story.lines.slice(2)).toEqual([
    "step.began charge#1",
    "step.ended charge#1 ok",
    "step.began ship#1",
    "step.ended ship#1 failed",
    "step.began charge#1 undo",
    "step.ended charge#1 undo ok",
    "run.ended failed",
  ]);
  expect(story.of("run.ended")[0]?.error).toMatchObject({ code: "STEP_FAILED" });
});

test("an undo that is tried again", async () => {
  const world = new World();
  const story = new Story();
  const definition = workflow({ name: "w" }, async (ctx) => {
    await ctx.step("charge", () => 1, {
      compensate: (_done, step) => {
        if (step.attempt === 1) throw new Error("busy");
      },
    });
    throw new FatalError("no");
  });
  const process = await world.worker([definition], { observer: story.observer });
  const run = await process.start(definition, undefined, { id: "r" });
  await rejection(world.settle(run.result()));
  await world.pass(10);
  expect(story.lines.slice(4)).toEqual([
    "step.began charge#1 undo",
    "step.ended charge#1 undo failed",
    "step.retried charge#1 undo",
    "step.began charge#2 undo",
    "step.ended charge#2 undo ok",
    "run.ended failed",
  ]);
});

test("a run that is stuck says why", async () => {
  const world = new World();
  const story = new Story();
  const definition = workflow({ name: "w" }, () => {
    throw new TypeError("undefined is not a function");
  });
  const process = await world.worker([definition], { observer: story.observer });
  await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  expect(story.lines.slice(1)).toEqual(["run.began", "run.stuck BUG"]);
  expect(story.of("run.stuck")[0]?.message).toContain("undefined is not a function");
});

test("what it sends out is told once it is durable", async () => {
  const world = new World();
  const story = new Story();
  const child = workflow({ name: "child" }, () => 1);
  const definition = workflow({ name: "parent" }, async (ctx) => {
    await ctx.call(child, undefined);
    await ctx.start(child, undefined, { name: "later", id: "late" });
    await ctx.emit("done", {});
    await ctx.signal("late", "hello").catch(() => {});
  });
  const process = await world.worker([definition, child], { observer: story.observer });
  const run = await process.start(definition, undefined, { id: "p" });
  await world.settle(run.result());
  await world.pass(10);
  const sent = story.of("run.sent").map((event) => `${event.run}: ${lineOf(event)}`);
  expect(sent.slice(0, 3)).toEqual([
    "p: run.sent child p/child",
    "p: run.sent start late",
    "p: run.sent event done",
  ]);
});

test("an abandoned body, by its timeout and by a lost lease", async () => {
  const world = new World();
  const story = new Story();
  const body = gate();
  const definition = workflow({ name: "w" }, (ctx) =>
    ctx.step("stubborn", (step) => (step.attempt === 1 ? body.promise : untilAborted(step)), {
      timeout: "1s",
    }),
  );
  const process = await world.worker([definition], { observer: story.observer });
  await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => story.of("step.abandoned").length === 1);
  await world.pass(10);
  expect(story.lines).toContain("step.abandoned stubborn#1");
  expect(story.lines).toContain("step.ended stubborn#1 failed");
  await world.passUntil(() => story.lines.at(-1) === "step.began stubborn#2");
  const [worker] = world.store.dump().workers;
  if (worker === undefined) throw new Error("no worker has joined");
  // As if another one had taken over.
  const lease = { worker: worker.id, batch: worker.batch + 1 };
  await world.store.commit({ writes: [{ kind: "leave" }], lease });
  await world.passUntil(() => story.of("run.fenced").length === 1, 30_000);
  const fenced = story.lines.indexOf("run.fenced");
  expect(story.lines[fenced - 1]).toBe("step.abandoned stubborn#2");
  expect(story.lines).toContain("worker.fenced");
  await world.passUntil(() => story.of("worker.joined").length === 2);
  expect(story.of("worker.joined")[1]?.worker).not.toBe(worker.id);
});

test("a worker that stops in order lets go, and leaves last", async () => {
  const world = new World();
  const story = new Story();
  const definition = workflow({ name: "w" }, (ctx) => ctx.step("slow", untilAborted));
  const process = world.process();
  const worker = await process.startWorker([definition], { observer: story.observer });
  await process.start(definition, undefined, { id: "r" });
  await world.pass(100);
  await world.settle(worker.stop({ grace: "1s" }));
  expect(story.lines.slice(3)).toEqual(["step.ended slow#1 interrupted", "run.released", "worker.left"]);
});

describe("an observer that misbehaves", () => {
  const definition = workflow<number, number>({ name: "w" }, (ctx, n) => ctx.step("double", () => 2 * n));

  test("one that throws is said once, and called again all the same", async () => {
    const world = new World();
    let calls = 0;
    const observer: Observer = (event) => {
      calls += 1;
      return never(event);
    };
    const process = await world.worker([definition], { observer });
    expect(await process.execute(definition, 1)).toBe(2);
    await world.pass(10);
    expect(calls).toBe(5);
    expect(world.lines.filter(({ message }) => message.includes("this observer always fails"))).toHaveLength(
      1,
    );
  });

  test("one that rejects is said once as well", async () => {
    const world = new World();
    const process = await world.worker([definition], {
      observer: () => Promise.reject(new Error("no telemetry today")),
    });
    expect(await process.execute(definition, 1)).toBe(2);
    await world.pass(10);
    expect(world.lines.filter(({ message }) => message.includes("no telemetry today"))).toHaveLength(1);
  });

  test("one that never answers holds up nothing but itself", async () => {
    const world = new World();
    let calls = 0;
    const observer: Observer = () => {
      calls += 1;
      return new Promise(() => {});
    };
    const process = world.process();
    const worker = await process.startWorker([definition], { observer });
    expect(await process.execute(definition, 1)).toBe(2);
    const stoppedAt = world.clock.monotonic();
    await world.settle(worker.stop());
    expect(world.clock.monotonic() - stoppedAt).toBeLessThanOrEqual(1000);
    expect(calls).toBe(1);
  });

  test("events that it is too slow for are dropped and counted", async () => {
    const clock = virtualClock();
    const world = new World();
    const slow = gate();
    const told: RunEvent[] = [];
    const feed = new ObserverFeed(
      (event) => {
        told.push(event);
        return slow.promise;
      },
      clock,
      world.logger,
    );
    const event = (worker: number): RunEvent => ({ type: "worker.joined", at: new Date(0), worker });
    feed.tell(event(0));
    await clock.advance(0);
    for (let worker = 1; worker <= 10_007; worker++) feed.tell(event(worker));
    slow.open();
    await clock.advance(0);
    feed.tell(event(20_000));
    await clock.advance(0);
    expect(told).toHaveLength(10_002);
    expect(told.at(-1)).toEqual({ ...event(20_000), dropped: 7 });
    expect(told.filter(({ dropped }) => dropped !== undefined)).toHaveLength(1);
  });
});

test("with a codec the events of this process are in clear", async () => {
  const world = new World();
  const story = new Story();
  const codec = {
    encode: (text: string) => `sealed ${btoa(text)}`,
    decode: (text: string) => atob(text.slice("sealed ".length)),
  };
  const definition = workflow({ name: "w" }, () => {
    throw new FatalError("no");
  });
  const process = await world.worker([definition], { observer: story.observer, codec });
  const run = await process.start(definition, undefined, { id: "r" });
  await rejection(world.settle(run.result()));
  await world.pass(10);
  expect(story.of("run.ended")[0]?.error).toMatchObject({ message: "no" });
  expect(story.of("step.ended").map(({ outcome }: StepEnded) => outcome)).toEqual([]);
});
