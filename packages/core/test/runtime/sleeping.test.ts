/** `ctx.sleep`, `ctx.sleepUntil`, and what a run that waits costs. */
import { describe, expect, test } from "vitest";
import { type Clock, type Context, Worker, workflow } from "../../src/index.ts";
import { rejection, World } from "../support/world.ts";

const DAY_MS = 86_400_000;

function sleeper(handler: (ctx: Context) => Promise<unknown>) {
  return workflow<undefined, unknown>({ name: "w" }, (ctx) => handler(ctx));
}

test("F116: it sleeps for 30 years, and uses no memory meanwhile", async () => {
  const world = new World();
  const definition = sleeper(async (ctx) => {
    await ctx.sleep("long", "10950d");
    return "rested";
  });
  const process = world.process();
  const worker = await process.startWorker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").owner === null);
  expect(world.run("r").dueAt).toBe(Date.UTC(2026, 0, 1) + 10_950 * DAY_MS);
  await world.settle(worker.stop());
  await world.pass(10_949 * DAY_MS);
  expect(await world.settle(run.status())).toBe("waiting");
  await world.pass(2 * DAY_MS);
  expect(await world.settle(run.status())).toBe("ready");
  await world.worker([definition]);
  expect(await world.settle(run.result())).toBe("rested");
});

test("sleepUntil wakes at its date, and at once for a date that has passed", async () => {
  const world = new World();
  const date = new Date(Date.UTC(2026, 0, 1) + 60_000);
  const definition = sleeper(async (ctx) => {
    await ctx.sleepUntil("later", date);
    await ctx.sleepUntil("long ago", new Date(0));
    return ctx.now().getTime();
  });
  const process = await world.worker([definition]);
  const wokenAt = await process.execute(definition, undefined);
  expect(wokenAt).toBeGreaterThanOrEqual(date.getTime());
  expect(wokenAt).toBeLessThan(date.getTime() + 100);
});

test.each([0, "0s"])("a sleep of nothing (%s) is over at once", async (duration) => {
  const world = new World();
  const definition = sleeper(async (ctx) => {
    await ctx.sleep("nothing", duration);
    return "over";
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe("over");
  expect(world.clock.monotonic()).toBeLessThan(100);
});

describe("F117: a senseless duration is a bug of the code, told before anything waits", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1, "soon", "", "1 month", null])(
    "%s",
    async (duration) => {
      const world = new World();
      const definition = sleeper((ctx) => ctx.sleep("nap", duration as string));
      const process = await world.worker([definition]);
      await process.start(definition, undefined, { id: "r" });
      await world.passUntil(() => world.run("r").stuck !== null);
      expect(world.run("r").stuck).toMatchObject({ code: "BUG" });
      expect(world.run("r").stuck?.message).toContain("sleep nap");
    },
  );

  test("an invalid date", async () => {
    const world = new World();
    const definition = sleeper((ctx) => ctx.sleepUntil("nap", new Date(Number.NaN)));
    const process = await world.worker([definition]);
    await process.start(definition, undefined, { id: "r" });
    await world.passUntil(() => world.run("r").stuck !== null);
    expect(world.run("r").stuck?.message).toContain("sleepUntil nap");
  });
});

test("F119: a sleep does not begin anew after a crash, and ends though no worker was there", async () => {
  const world = new World();
  const definition = sleeper(async (ctx) => {
    await ctx.step("before", () => 1);
    await ctx.sleep("nap", "60s");
    return ctx.now().getTime();
  });
  const first = await world.worker([definition]);
  const run = await first.start(definition, undefined, { id: "r" });
  await world.pass(40_000);
  first.kill();
  await world.pass(10_000);
  await world.worker([definition]);
  const wokenAt = await world.settle(world.process().client.get<number>(run.id).result());
  expect(wokenAt - Date.UTC(2026, 0, 1)).toBeLessThan(61_000);
  expect(wokenAt - Date.UTC(2026, 0, 1)).toBeGreaterThanOrEqual(60_000);
});

test.each([3_600_000, -3_600_000])(
  "I15 F117: a sleep ends when the store says so, though the worker's clock jumps by %i ms meanwhile",
  async (jumpMs) => {
    const world = new World();
    let offMs = 0;
    const definition = sleeper(async (ctx) => {
      await ctx.sleep("first", "20s");
      await ctx.step("between", () => new Promise<void>((resolve) => world.clock.after(20_000, resolve)));
      await ctx.sleep("second", "20s");
      return ctx.now().getTime() - ctx.run.startedAt.getTime();
    });
    const process = world.process();
    const clock: Clock = {
      now: () => process.clock.now() + offMs,
      monotonic: () => process.clock.monotonic(),
      after: (ms, run) => process.clock.after(ms, run),
      macrotask: (run) => process.clock.macrotask(run),
      random: () => process.clock.random(),
    };
    const { store } = process;
    const worker = new Worker({ store, clock, workflows: [definition], lease: "5s", logger: world.logger });
    await world.settle(worker.start());
    const run = await world.process().start(definition, undefined, { id: "r" });
    await world.pass(10_000);
    offMs = jumpMs;
    await world.pass(20_000);
    offMs = 0;
    expect(await world.settle(run.result())).toBeGreaterThanOrEqual(60_000);
    expect(world.clock.monotonic()).toBeGreaterThanOrEqual(60_000);
    expect(world.clock.monotonic()).toBeLessThan(62_000);
    expect(world.run("r").attempt).toBe(3);
  },
);

test("a sleep that is given up by its signal rejects, and holds up nobody", async () => {
  const world = new World();
  const definition = sleeper(async (ctx) => {
    const controller = new AbortController();
    const sleep = rejection(ctx.sleep("long", "365d", { signal: controller.signal }));
    await ctx.step("work", () => 1);
    controller.abort(new Error("no longer needed"));
    const { message } = await sleep;
    await ctx.sleep("short", "10s");
    return message;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toBe("no longer needed");
  expect(world.clock.monotonic()).toBeLessThan(15_000);
});

test("an ask whose signal is aborted already rejects at once and is not journaled", async () => {
  const world = new World();
  const definition = sleeper(async (ctx) => {
    const signal = AbortSignal.abort(new Error("too late"));
    return (await rejection(ctx.sleep("nap", "1h", { signal }))).message;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined, { id: "r" })).toBe("too late");
  expect(world.journal("r")).toEqual(["end completed"]);
});

test("parallel sleeps end in the order in which they are due", async () => {
  const world = new World();
  const definition = sleeper(async (ctx) => {
    const order: string[] = [];
    await Promise.all(
      [30, 10, 20].map(async (seconds) => {
        await ctx.sleep(`nap ${seconds}`, seconds * 1000);
        order.push(`${seconds}`);
      }),
    );
    return order;
  });
  const process = await world.worker([definition]);
  expect(await process.execute(definition, undefined)).toEqual(["10", "20", "30"]);
});

test("suspension never throws: neither catch nor finally is entered when a run parks", async () => {
  const world = new World();
  const entered: string[] = [];
  const definition = sleeper(async (ctx) => {
    try {
      await ctx.sleep("nap", "1h");
      await ctx.waitForSignal("go");
    } catch {
      entered.push("catch");
    } finally {
      entered.push("finally");
    }
    return "done";
  });
  const process = world.process();
  const worker = await process.startWorker([definition]);
  const run = await process.start(definition, undefined, { id: "r" });
  await world.passUntil(() => world.run("r").owner === null);
  await world.settle(worker.stop());
  await world.pass(3_600_000);
  const second = await world.worker([definition]);
  await world.passUntil(() => world.run("r").waits[0]?.kind === "signal");
  expect(entered).toEqual([]);
  await world.settle(second.client.get(run.id).signal("go"));
  await world.settle(run.result());
  expect(entered).toEqual(["finally"]);
});
