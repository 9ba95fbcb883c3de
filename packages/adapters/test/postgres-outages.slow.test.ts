/** Outages that take as long as they take: servers that restart, deadlines that run out. Each prints nothing unless it fails. */
import { Client, StoreUnavailableError, Worker, workflow } from "@everstep/core";
import { startPostgres } from "@everstep/postgres-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { transaction } from "../src/postgres/index.ts";
import { Bed } from "./postgres/bed.ts";
import { eventually, Hand, rejection, start } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";
import { Holder } from "./postgres/place.ts";
import type { TcpProxy } from "@everstep/postgres-server/tcp-proxy";

const NO_SERVER = "DATABASE_URL names a server of somebody else, which is not restarted";

async function passed(ms: number): Promise<void> {
  const since = performance.now();
  await eventually(`${ms} ms`, () => performance.now() - since >= ms);
}

describe("F36: a server that restarts", () => {
  test("again and again under load: each run goes on where it was, with its worker", async ({ skip }) => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    const { own } = server;
    if (own === null) return skip(NO_SERVER);
    const bed = new Bed(server.url);
    const orders = await Orders.open(bed, bed.open());
    const other = new Worker({ store: bed.open(), workflows: [orders.workflow] });
    onTestFinished(async () => void (await other.stop({ grace: 0 })));
    await other.start();
    await orders.during(async () => {
      for (const how of ["immediate", "fast", "immediate", "immediate"] as const) {
        await orders.progress(40);
        await own.restart(how);
      }
      await orders.progress(40);
    });
    await orders.allWell({ claims: 2 });
    const dead = await bed.place.rows("SELECT id FROM @workers WHERE NOT live");
    expect(dead).toEqual([]);
  });

  test("is away for longer than everybody's patience: a step beside a transaction is not called again", async ({
    skip,
  }) => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    const { own } = server;
    if (own === null) return skip(NO_SERVER);
    const bed = new Bed(server.url);
    await Orders.makeTable(bed);
    const store = bed.open();
    const calls: string[] = [];
    const inserted: string[] = [];
    const gone = Promise.withResolvers<void>();
    // A function that says something more is told that its connection is gone; the other one's commit has an unknown end.
    const both = workflow({ name: "both" }, async (ctx, saysMore: boolean) => {
      const charged = ctx.step("charge", async () => {
        calls.push(ctx.run.id);
        await gone.promise;
      });
      const booked = transaction(ctx, "book", async (db) => {
        await db.query(`INSERT INTO ${bed.place.quoted}.bookings VALUES ($1)`, [ctx.run.id]);
        inserted.push(ctx.run.id);
        await gone.promise;
        if (saysMore) await db.query("SELECT 1");
      });
      await Promise.all([charged, booked]);
      return "done";
    });
    const worker = new Worker({ store, workflows: [both], lease: "1m" });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    const client = new Client({ store });
    const runs = [await client.start(both, true, { id: "a" }), await client.start(both, false, { id: "b" })];
    await eventually("both are in the middle", () => inserted.length === 2);
    await own.end("immediate");
    gone.resolve();
    await passed(14_000);
    await own.begin();
    for (const run of runs) expect(await run.result()).toBe("done");
    expect(calls.toSorted()).toEqual(["a", "b"]);
    expect(await bed.place.rows("SELECT run FROM @bookings ORDER BY run")).toEqual([
      { run: "a" },
      { run: "b" },
    ]);
    for (const { id } of runs) expect((await store.read(id))?.run.attempt).toBe(1);
  });
});

describe("F40: a server that becomes read-only under its connections", () => {
  test("and then writes again: nothing is done twice, and nothing failed", async ({ skip }) => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    if (server.own === null) return skip(NO_SERVER);
    const bed = new Bed(server.url);
    const orders = await Orders.open(bed, bed.open());
    const set = async (value: string): Promise<void> => {
      const onlooker = await bed.place.connect();
      await onlooker.query("SET transaction_read_only = off");
      await onlooker.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
      await onlooker.query("SELECT pg_reload_conf()");
    };
    await orders.during(async () => {
      for (let round = 0; round < 2; round++) {
        await orders.progress(20);
        await set("on");
        await passed(1_500);
        await set("off");
      }
      await orders.progress(20);
    });
    await orders.allWell();
    expect(orders.complaints, "said once").toEqual([expect.stringMatching(/waits for its store.*25006/)]);
  });
});

describe("F47: connections on which nothing passes any more", () => {
  test("one of them: what was asked over it is asked over another one", async () => {
    const play = async (request: string): Promise<void> => {
      const bed = new Bed();
      const proxy = await bed.proxy();
      const orders = await Orders.open(bed, bed.open({ via: proxy }));
      const silenced = proxy.silence(request);
      await orders.start(3);
      await silenced;
      await orders.allWell();
    };
    // A statement of the transaction's function has no deadline of its own.
    await Promise.all([" commit\0", "settle_transact", "INSERT INTO"].map(play));
  });

  test("all of them: each call ends with an outage, and what was under way goes on after it", async () => {
    const bed = new Bed();
    const proxy = await bed.proxy();
    const store = bed.open({ via: proxy });
    const orders = await Orders.open(bed, store);
    const gate = orders.hold("charge");
    await orders.start(5);
    await gate.reached;
    proxy.blackhole();
    gate.open();
    const since = performance.now();
    const fresh = bed.open({ via: proxy });
    const asked = [
      store.read("order-1"),
      store.commit({ writes: [start("late", { workflow: "of nobody here" })] }),
      fresh.count({}),
      Hand.join(fresh),
      store.list({}, { limit: 1 }),
    ];
    for (const error of await Promise.all(asked.map(rejection)))
      expect(error).toBeInstanceOf(StoreUnavailableError);
    // Each has a deadline of ten seconds.
    expect(performance.now() - since).toBeLessThan(30_000);
    const closedAt = performance.now();
    await fresh.close();
    expect(performance.now() - closedAt).toBeLessThan(15_000);
    proxy.flow();
    await orders.allWell({ claims: 2 });
  });
});

describe("F49: notifications that are lost", () => {
  test("all of them, or those of a listener that is silently dead: runs are found by asking", async () => {
    const play = async (fault: (proxy: TcpProxy) => Promise<void>): Promise<number> => {
      const bed = new Bed();
      const proxy = await bed.proxy();
      proxy.dropNotifications();
      const orders = await Orders.open(bed, bed.open({ via: proxy }));
      const afar = new Orders(bed, bed.open());
      await fault(proxy);
      const since = performance.now();
      await afar.start(1);
      orders.started.push(...afar.started);
      await orders.results();
      const tookMs = performance.now() - since;
      proxy.cut();
      await orders.allWell();
      return tookMs;
    };
    const times = await Promise.all([play(async () => {}), play((proxy) => proxy.silence(" renew\0"))]);
    // Ten seconds are the longest that a worker waits before it asks by itself.
    expect(Math.max(...times)).toBeLessThan(25_000);
  });
});

describe("F44: a statement of a transaction's function that always takes too long", () => {
  test("is its failure after some tries, for a person to see", async () => {
    const bed = new Bed();
    const store = bed.open();
    let bodies = 0;
    const slow = workflow({ name: "slow" }, (ctx) =>
      transaction(
        ctx,
        "book",
        async (db) => {
          bodies += 1;
          await db.query("SET LOCAL statement_timeout = 10");
          await db.query("SELECT pg_sleep(5)");
        },
        { retry: false },
      ),
    );
    const worker = new Worker({ store, workflows: [slow] });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    const run = await new Client({ store }).start(slow, undefined);
    const error = await rejection(run.result({ timeout: "100s" }));
    expect(String(error.cause)).toMatch(/statement timeout/);
    expect(bodies).toBeGreaterThan(10);
  });
});

describe("F45: a row that somebody else keeps locked for long", () => {
  test("no sessions pile up before it, and all is done once it is free", async () => {
    const bed = new Bed();
    const orders = await Orders.open(bed, bed.open());
    const gate = orders.hold("charge");
    await orders.start(5);
    await gate.reached;
    const holder = await Holder.ofRun(bed.place, "order-3");
    gate.open();
    const waiting: number[] = [];
    const since = performance.now();
    await eventually("the lock is older than a deadline", async () => {
      waiting.push((await bed.backends()).filter(({ waits }) => waits).length);
      return performance.now() - since > 12_000;
    });
    await holder.letGo();
    await orders.allWell();
    // The batch, and a heartbeat for a moment.
    expect(Math.max(...waiting)).toBeLessThanOrEqual(2);
  });
});
