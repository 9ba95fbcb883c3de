/** A worker for one go: cron jobs, serverless functions, scripts. */
import { describe, expect, test } from "vitest";
import {
  type IdleOptions,
  type IdleReport,
  type ShippedEvent,
  StoreUnavailableError,
  workflow,
} from "../../src/index.ts";
import { gate, rejection, untilAborted, World } from "../support/world.ts";

const nap = workflow({ name: "nap" }, async (ctx) => {
  await ctx.step("before", () => {});
  await ctx.sleep("nap", "1h");
  await ctx.step("after", () => {});
});

async function tick(
  world: World,
  options: IdleOptions & { readonly workflows?: readonly (typeof nap)[] } = {},
): Promise<IdleReport & { readonly tookMs: number }> {
  const { workflows = [nap], ...idle } = options;
  const worker = world.process().newWorker(workflows);
  const startedAt = world.clock.monotonic();
  const report = await world.settle(worker.runUntilIdle(idle));
  return { ...report, tookMs: world.clock.monotonic() - startedAt };
}

test("nothing is due: it is over at once", async () => {
  const world = new World();
  expect(await tick(world, { for: "10s" })).toEqual({ ended: 0, nextDueAt: null, living: [], tookMs: 0 });
  expect(world.store.dump().workers.every(({ live }) => !live)).toBe(true);
});

test("tick after tick, on a new worker each, a run gets to its end, and each says when to come again", async () => {
  const world = new World();
  const run = await world.process().start(nap, undefined, { id: "r" });
  const startedAt = world.clock.now();
  const first = await tick(world, { for: "10s" });
  expect(first).toMatchObject({ ended: 0, living: [] });
  expect(first.nextDueAt?.getTime()).toBeGreaterThanOrEqual(startedAt + 3_600_000);
  expect(first.nextDueAt?.getTime()).toBeLessThan(startedAt + 3_610_000);
  const early = await tick(world, { for: "10s" });
  expect(early).toMatchObject({ ended: 0, nextDueAt: first.nextDueAt });
  await world.pass(3_600_000);
  expect(await tick(world, { for: "10s" })).toMatchObject({ ended: 1, nextDueAt: null });
  expect(await world.settle(run.status())).toBe("completed");
});

test("everything that is due is executed, also more than fits at once and what comes of it", async () => {
  const world = new World();
  const child = workflow({ name: "child" }, (ctx) => ctx.step("s", () => 1));
  const parent = workflow({ name: "parent" }, (ctx) => ctx.call(child, undefined));
  const process = world.process();
  for (let n = 0; n < 20; n++) await process.start(parent, undefined, { id: `p${n}` });
  const worker = world.process().newWorker([parent, child], { concurrency: 3 });
  const report = await world.settle(worker.runUntilIdle());
  expect(report).toEqual({ ended: 40, nextDueAt: null, living: [] });
});

test("a step that fails is tried again as long as its next attempt is due soon; then nextDueAt says when", async () => {
  const world = new World();
  const attempts: number[] = [];
  const failing = workflow({ name: "failing" }, (ctx) =>
    ctx.step(
      "s",
      (step) => {
        attempts.push(step.attempt);
        throw new Error("down");
      },
      { retry: { initialDelay: "4m", factor: 1 } },
    ),
  );
  await world.process().start(failing, undefined, { id: "r" });
  const worker = world.process().newWorker([failing]);
  const report = await world.settle(worker.runUntilIdle());
  expect(report.nextDueAt?.getTime()).toBeGreaterThan(world.clock.now());
  expect(attempts[0]).toBe(1);
});

describe("when time is over", () => {
  test("it is so within `for`: bodies get what is left, then they are aborted without using up an attempt", async () => {
    const world = new World();
    const attempts: number[] = [];
    const slow = workflow({ name: "slow" }, (ctx) =>
      ctx.step("slow", (step) => {
        attempts.push(step.attempt);
        return attempts.length === 1 ? untilAborted(step) : "done";
      }),
    );
    const run = await world.process().start(slow, undefined, { id: "r" });
    const worker = world.process().newWorker([slow]);
    const startedAt = world.clock.monotonic();
    const report = await world.settle(worker.runUntilIdle({ for: "20s" }));
    const tookMs = world.clock.monotonic() - startedAt;
    expect(tookMs).toBeGreaterThan(18_000);
    expect(tookMs).toBeLessThanOrEqual(20_000);
    expect(report).toMatchObject({ ended: 0, living: [] });
    expect(report.nextDueAt?.getTime()).toBeLessThanOrEqual(world.clock.now());
    expect(world.run("r")).toMatchObject({ owner: null, strikes: 0 });
    await world.settle(world.process().newWorker([slow]).runUntilIdle());
    expect(await world.settle(run.result())).toBe("done");
    expect(attempts).toEqual([1, 1]);
  });

  test("no body begins in the time that is kept for stopping", async () => {
    const world = new World();
    const endless = workflow({ name: "endless" }, async (ctx) => {
      for (let n = 0; n < 1000; n++)
        await ctx.step(`s${n}`, async (step) => {
          world.effect(step, "s");
          await new Promise<void>((resolve) => world.clock.after(1000, resolve));
        });
    });
    await world.process().start(endless, undefined, { id: "r" });
    const report = await world.settle(world.process().newWorker([endless]).runUntilIdle({ for: "20s" }));
    expect(world.effects.length).toBeGreaterThanOrEqual(15);
    expect(world.effects.length).toBeLessThanOrEqual(17);
    expect(report.nextDueAt?.getTime()).toBeLessThanOrEqual(world.clock.now());
    expect(world.run("r")).toMatchObject({ owner: null, interrupted: false });
  });

  test("a body that ignores its signal is named, and its run stays owned", async () => {
    const world = new World();
    const body = gate();
    const stubborn = workflow({ name: "stubborn" }, (ctx) => ctx.step("s", () => body.promise));
    await world.process().start(stubborn, undefined, { id: "r" });
    const worker = world.process().newWorker([stubborn]);
    const report = await world.settle(worker.runUntilIdle({ for: "5s" }));
    expect(report.living).toEqual(["r"]);
    expect(world.run("r").owner).not.toBeNull();
    body.open();
    await world.pass(1000);
    expect(world.run("r").end).toBe("completed");
  });

  test("a store that did not answer is an error", async () => {
    const world = new World();
    const process = world.process();
    const join = (): Promise<never> => Promise.reject(new StoreUnavailableError("down"));
    Object.assign(process.store, { join });
    const worker = process.newWorker([nap]);
    const error = await rejection(world.settle(worker.runUntilIdle({ for: "5s" })));
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(world.clock.monotonic()).toBeLessThanOrEqual(5000);
  });
});

test("what is in the outbox is shipped before it answers", async () => {
  const world = new World();
  const shipped: string[] = [];
  const ship = async (events: readonly ShippedEvent[]): Promise<void> => {
    await new Promise<void>((resolve) => world.clock.after(500, resolve));
    for (const { id } of events) shipped.push(id);
  };
  const quick = workflow({ name: "quick" }, () => 1);
  await world.process().start(quick, undefined, { id: "r" });
  const worker = world.process().newWorker([quick], { outbox: { ship } });
  expect(await world.settle(worker.runUntilIdle({ for: "20s" }))).toMatchObject({ ended: 1 });
  expect(shipped).toEqual(["r:began", "r:1"]);
});

test("a time that is none is refused, and a worker runs once", async () => {
  const world = new World();
  const worker = world.process().newWorker([nap]);
  expect((await rejection(worker.runUntilIdle({ for: "soon" }))).message).toContain("for");
  await world.settle(worker.runUntilIdle());
  expect((await rejection(world.settle(worker.runUntilIdle()))).message).toContain("once");
});
