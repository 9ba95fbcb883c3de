/** F93 and the limits of the design: long journals are replayed, and wide runs are run, in time that grows with their length. */
import { expect, test } from "vitest";
import { Client, type Context, Worker, workflow } from "../../src/index.ts";
import { type MemoryStore, memoryStore } from "../../src/testing/index.ts";
import { World } from "../support/world.ts";

/** A run whose journal holds so many steps already, and that nobody owns. */
async function journaled(store: MemoryStore, entries: number, keyOf: (n: number) => string): Promise<void> {
  const lease = await store.join({ workflows: [], leaseMs: 60_000, host: "h", pid: 1 });
  const run = { id: "r", workflow: "long", version: "1", input: String(entries), inputHash: "h" };
  const start = {
    kind: "start",
    claim: true,
    run: { ...run, priority: 0, tags: {}, timeoutMs: null },
  } as const;
  await store.commit({ writes: [start], lease: { worker: lease.worker, batch: 1 } });
  const journal = Array.from({ length: entries }, (_, index) => ({
    seq: index + 1,
    kind: "step" as const,
    key: keyOf(index + 1),
    at: lease.now,
    value: String(index + 1),
  }));
  const advance = {
    kind: "advance",
    runId: "r",
    attempt: 1,
    entries: journal,
    then: { do: "release" },
  } as const;
  await store.commit({ writes: [advance], lease: { worker: lease.worker, batch: 2 } });
}

const nth = (n: number): string => (n === 1 ? "step" : `step#${n}`);

/** What this process has worked: how busy the machine is otherwise does not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds that a replay of so many entries takes. */
async function replay(
  entries: number,
  keyOf: (n: number) => string,
  handler: (ctx: Context, count: number) => Promise<unknown>,
): Promise<number> {
  const world = new World();
  await journaled(world.store, entries, keyOf);
  const definition = workflow<number, unknown>({ name: "long" }, (ctx, count) => handler(ctx, count));
  const worker = world.process();
  const startedAt = cpuMs();
  await worker.startWorker([definition]);
  await world.passUntil(() => world.run("r").end !== null);
  const ms = cpuMs() - startedAt;
  expect(JSON.parse(world.run("r").result ?? "")).toBe(entries);
  return ms;
}

/** The best of three: the machine has other things to do as well. */
async function best(measure: () => Promise<number>): Promise<number> {
  return Math.min(await measure(), await measure(), await measure());
}

const executed = (): never => {
  throw new Error("a body was executed again");
};

async function oneByOne(ctx: Context, count: number): Promise<unknown> {
  let last: unknown;
  for (let n = 0; n < count; n++) last = await ctx.step("step", executed);
  return last;
}

test("F93: 10,000 entries one after the other are replayed in a second, 20,000 in not much more than twice that", async () => {
  const short = await best(() => replay(10_000, nth, oneByOne));
  const long = await best(() => replay(20_000, nth, oneByOne));
  expect(short).toBeLessThan(1000);
  expect(long).toBeLessThan(short * 4);
});

test("F93: 100,000 entries are replayed, in time that still grows with their number", async () => {
  const store = memoryStore();
  await journaled(store, 100_000, nth);
  const definition = workflow({ name: "long" }, oneByOne);
  const worker = new Worker({ store, workflows: [definition] });
  const startedAt = cpuMs();
  await worker.start();
  expect(await new Client({ store }).get("r").result()).toBe(100_000);
  expect(cpuMs() - startedAt).toBeLessThan(10_000);
  await worker.stop();
});

test("F93: 10,000 entries side by side are replayed in a second", async () => {
  const sideBySide = async (ctx: Context, count: number): Promise<unknown> => {
    const all = Array.from({ length: count }, (_, n) => ctx.step("step", executed, { key: `${n + 1}` }));
    return (await Promise.all(all)).at(-1);
  };
  expect(await best(() => replay(10_000, (n) => `step[${n}]`, sideBySide))).toBeLessThan(1000);
});

test("2,000 bodies side by side", async () => {
  const world = new World();
  const definition = workflow({ name: "wide" }, async (ctx) => {
    const all = Array.from({ length: 2000 }, (_, n) => ctx.step("step", () => n, { key: `${n}` }));
    return (await Promise.all(all)).length;
  });
  const worker = await world.worker([definition]);
  const startedAt = cpuMs();
  expect(await worker.execute(definition, undefined)).toBe(2000);
  expect(cpuMs() - startedAt).toBeLessThan(2000);
});
