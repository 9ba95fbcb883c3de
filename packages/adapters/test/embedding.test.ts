/** Ticks, outbox, pauses and hand-offs on real databases, in real time. */
import { Client, type RunEvent, type ShippedEvent, type Store, Worker, workflow } from "@everstep/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { transaction as inPostgres } from "../src/postgres/index.ts";
import { transaction as inSqlite } from "../src/sqlite/index.ts";
import { eventually } from "./hand.ts";
import { Place } from "./postgres/place.ts";
import { openStore } from "./sqlite-bed.ts";

const databases: readonly {
  readonly name: string;
  readonly open: () => Store;
  readonly one: (ctx: Parameters<typeof inSqlite>[0], name: string) => Promise<unknown>;
}[] = [
  {
    name: "sqlite",
    open: () => openStore(),
    one: (ctx, name) => inSqlite(ctx, name, (db) => db.prepare("SELECT 1").pluck().get()),
  },
  {
    name: "postgres",
    open: () => new Place().open(),
    one: (ctx, name) => inPostgres(ctx, name, async (db) => (await db.query("SELECT 1 AS one")).rowCount),
  },
];

describe.for(databases)("on $name", ({ open, one }) => {
  const order = workflow<number, string>({ name: "order" }, async (ctx, cents) => {
    await ctx.step(
      "charge",
      (step) => {
        if (step.attempt === 1) throw new Error("busy");
        return cents;
      },
      { retry: { initialDelay: 1 } },
    );
    await one(ctx, "book");
    await ctx.sleep("nap", "1500ms");
    return "done";
  });

  function newWorker(store: Store, options: Partial<ConstructorParameters<typeof Worker>[0]> = {}): Worker {
    const worker = new Worker({ store, workflows: [order], ...options });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    return worker;
  }

  test("ticks bring a run to its end, and its story into a warehouse", async () => {
    const store = open();
    const shipped: ShippedEvent[] = [];
    const ship = async (events: readonly ShippedEvent[]): Promise<void> => void shipped.push(...events);
    const run = await new Client({ store }).start(order, 1999, { id: "o1" });
    const tick = () => newWorker(store, { outbox: { ship } }).runUntilIdle({ for: "20s" });
    const first = await tick();
    expect(first).toMatchObject({ ended: 0, living: [] });
    expect(first.nextDueAt).toBeInstanceOf(Date);
    expect((await tick()).ended).toBe(0);
    await eventually("the nap is over", () => Date.now() > (first.nextDueAt?.getTime() ?? 0) + 100);
    expect(await tick()).toMatchObject({ ended: 1, nextDueAt: null });
    expect(await run.result()).toBe("done");
    expect(shipped.map(({ id, type }) => `${id} ${type}`)).toEqual([
      "o1:began run.began",
      "o1:retry:1:charge:1 step.retried",
      "o1:1 step.settled",
      "o1:2 step.settled",
      "o1:4 run.ended",
    ]);
    expect(await store.takeOutbox({ limit: 10, forMs: 1000 })).toEqual([]);
  });

  test("a deploy waits for no lease, and what an observer sees of it", async () => {
    const store = open();
    const seen: string[] = [];
    const observer = ({ type }: RunEvent): void => void seen.push(type);
    const old = newWorker(store, { lease: "10m", observer });
    await old.start();
    const run = await new Client({ store }).start(order, 1, { id: "r" });
    await eventually("it is parked", () => seen.includes("run.parked"));
    const next = newWorker(store, { lease: "10m", observer });
    await next.start();
    expect(await old.stop()).toEqual([]);
    expect(await run.result({ timeout: "100s" })).toBe("done");
    await eventually("the old one is gone", () => seen.includes("worker.left"));
    expect(seen).not.toContain("run.fenced");
  });

  test("a paused workflow starts nothing, until it is resumed", async () => {
    const store = open();
    const worker = newWorker(store);
    await worker.start();
    const pause = (note: string | null): Promise<unknown> =>
      store.commit({ writes: [{ kind: "pause-workflow", workflow: "order", note }] });
    await pause('"the bank is down"');
    const client = new Client({ store });
    const run = await client.start(order, 1, { id: "r" });
    const report = await newWorker(store).runUntilIdle({ for: "10s" });
    expect(report).toMatchObject({ ended: 0, nextDueAt: null });
    expect((await store.read("r"))?.journal).toEqual([]);
    await pause(null);
    expect(await run.result({ timeout: "100s" })).toBe("done");
  });
});
