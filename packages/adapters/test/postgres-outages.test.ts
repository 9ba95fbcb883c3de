/** Sessions that are ended, used up or left in the middle: runs go on as if nothing had happened. */
import { setTimeout as delay } from "node:timers/promises";
import { Client, StoreUnavailableError, Worker, workflow } from "@everstep/core";
import type { ClientBase } from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { transaction } from "../src/postgres/index.ts";
import { type Backend, Bed } from "./postgres/bed.ts";
import { advance, eventually, Hand, rejection, start } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";

describe("F37: sessions that are terminated", () => {
  test("all of them, again and again, under load", async () => {
    const bed = new Bed();
    const orders = await Orders.open(bed, bed.open());
    await orders.during(async () => {
      for (let round = 0; round < 8; round++) {
        await orders.progress(30);
        expect((await bed.terminate()).length).toBeGreaterThan(1);
      }
    });
    await orders.allWell();
  });

  test("the one whose transaction's body is at work: the body is called again, and what it wrote is there once", async () => {
    const bed = new Bed();
    const orders = await Orders.open(bed, bed.open());
    const gate = orders.hold("book");
    await orders.start(1);
    const victim = await gate.reached;
    expect(await bed.terminate(({ pid }) => pid === victim)).toEqual([victim]);
    await eventually("it is gone", async () => (await bed.backends()).every(({ pid }) => pid !== victim));
    gate.open();
    await orders.allWell();
    expect(orders.bookings).toBe(2);
  });

  test("those of an idle pool: nobody notices", async () => {
    const bed = new Bed();
    const { store, pool } = bed.openOnPool({ max: 4 });
    const lost = new Set<unknown>();
    pool.on("remove", (client) => lost.add(client));
    const orders = await Orders.open(bed, store);
    await orders.start(4);
    await orders.allWell();
    const isIdle = ({ isSession, state }: Backend): boolean => !isSession && state === "idle";
    await eventually("nothing of the pool is at work", async () =>
      (await bed.backends()).every((backend) => backend.isSession || isIdle(backend)),
    );
    const ended = await bed.terminate(isIdle);
    expect(ended.length).toBeGreaterThan(0);
    // Whoever asks before is told of it by the answer, as by any outage.
    await eventually("the pool has heard of it", async () => lost.size >= ended.length);
    await orders.start(4);
    await orders.allWell();
    expect(orders.complaints).toEqual([]);
  });

  test("the one of the heartbeats: another is opened, and nobody takes over", async () => {
    const bed = new Bed();
    const orders = await Orders.open(bed, bed.open());
    const other = await Hand.join(bed.open());
    const gate = orders.hold("charge");
    await orders.start(2);
    await gate.reached;
    const [victim] = await bed.terminate(({ isSession, pid }) => isSession && pid !== 0);
    const since = performance.now();
    await eventually("others look at it for longer than a death takes to notice", async () => {
      expect((await other.renew()).reaped).toBe(0);
      return performance.now() - since > 2_000;
    });
    expect((await bed.backends()).filter(({ isSession }) => isSession).map(({ pid }) => pid)).not.toContain(
      victim,
    );
    gate.open();
    await orders.allWell();
  });
});

describe("F40 F56: a failover, in which all that one can reach is read-only", () => {
  test("is an outage, and connections to what is read-only are given up by themselves", async () => {
    const bed = await Bed.ofOwnDatabase();
    const orders = await Orders.open(bed, bed.open());
    const gate = orders.hold("charge");
    await orders.start(10);
    await gate.reached;
    await bed.setForNewSessions("default_transaction_read_only", "on");
    await bed.terminate();
    gate.open();
    const error = await rejection(bed.open().commit({ writes: [start("x")] }));
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error.message).toMatch(/25006.*connect to the primary/);
    // The primary is back. Whoever is connected to what was read-only is not told.
    await bed.setForNewSessions("default_transaction_read_only", "off");
    await orders.start(5);
    await orders.allWell();
  });

  test("F56: a store that could only read decides nothing by what it reads", async () => {
    const bed = await Bed.ofOwnDatabase();
    const store = bed.open();
    const hand = await Hand.join(store);
    await store.commit({ writes: [start("a")] });
    await bed.setForNewSessions("default_transaction_read_only", "on");
    await bed.terminate();
    const decisions = [
      () => Hand.join(bed.open()),
      () => hand.claim(),
      () => hand.commit(advance("a")),
      () => hand.commit(),
    ];
    for (const decide of decisions) {
      const error = await rejection(decide());
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error.message).toContain("25006");
    }
    await bed.setForNewSessions("default_transaction_read_only", "off");
  });
});

describe("F43: a pool that is exhausted", () => {
  for (const max of [1, 2]) {
    test(`of ${max}: 50 runs with their transactions go through it, and heartbeats beside it`, async () => {
      const bed = new Bed();
      const orders = await Orders.open(bed, bed.open({ pool: { max } }));
      await orders.start(50);
      await orders.allWell();
      expect((await bed.backends()).length).toBeLessThanOrEqual(max + 1);
      expect(orders.complaints).toEqual([]);
    });
  }

  test("by the application's own transaction: what it starts in it does not wait for a second connection", async () => {
    const bed = new Bed();
    await bed.migrate();
    const orders = workflow({ name: "order" }, async () => "done");
    const { store, pool } = bed.openOnPool({ max: 1 });
    const client = new Client({ store });
    const tx = await pool.connect();
    await tx.query("BEGIN");
    const since = performance.now();
    await client.start(orders, undefined, { id: "a", tx });
    // For a connection it would wait five seconds.
    expect(performance.now() - since).toBeLessThan(4_500);
    await tx.query("COMMIT");
    tx.release();
    expect((await store.read("a"))?.run.id).toBe("a");
  });

  test("by the application for a while: work waits, and the worker lives on", async () => {
    const bed = new Bed();
    const { store, pool } = bed.openOnPool({ max: 1 });
    const orders = await Orders.open(bed, store, { lease: "1s" });
    const gate = orders.hold("charge");
    await orders.start(3);
    await gate.reached;
    const taken = await pool.connect();
    gate.open();
    const since = performance.now();
    await eventually("twice its lease", async () => performance.now() - since > 2_000);
    taken.release();
    await orders.allWell();
    expect(orders.complaints).toEqual([]);
  });
});

describe("F53: idle_in_transaction_session_timeout", () => {
  test("of the server, however short, is not that of a transaction", async () => {
    const bed = new Bed();
    const settings = { idle_in_transaction_session_timeout: "50ms" };
    const orders = await Orders.open(bed, bed.open({ settings }), {
      sql: async (db) => {
        await delay(200);
        await db.query("SELECT 1");
      },
    });
    await orders.start(2);
    await orders.allWell();
    expect(orders.bookings).toBe(2);
  });

  for (const last of ["with another statement", "without another statement"]) {
    test(`a body that dawdles is ended by the server, and it is said why (${last})`, async () => {
      const bed = new Bed();
      const store = bed.open();
      const client = new Client({ store });
      let bodies = 0;
      const dawdling = workflow({ name: "dawdling" }, (ctx) =>
        transaction(
          ctx,
          "book",
          async (db) => {
            bodies += 1;
            // Stands for the ten seconds that everstep allows.
            await db.query("SET LOCAL idle_in_transaction_session_timeout = 50");
            await delay(300);
            if (last === "with another statement") await db.query("SELECT 1");
          },
          { retry: { maxAttempts: 2, initialDelay: 1 } },
        ),
      );
      await using worker = new Worker({ store, workflows: [dawdling] });
      await worker.start();
      const run = await client.start(dawdling, undefined);
      const error = await rejection(run.result({ timeout: "100s" }));
      expect(String(error.cause)).toMatch(/idle|25P03/);
      expect(bodies).toBe(2);
      await bed.untilQuiet();
    });
  }
});

describe("F54: a transaction that breaks off in the middle", () => {
  /** On the only connection there is: what it leaves behind, the next one meets. */
  async function play(
    body: (db: ClientBase) => Promise<unknown>,
  ): Promise<{ readonly error: Error; readonly bodies: number }> {
    const bed = new Bed();
    const { store, pool } = bed.openOnPool({ max: 1 });
    let bodies = 0;
    const breaking = workflow({ name: "breaking" }, (ctx) =>
      transaction(
        ctx,
        "book",
        async (db) => {
          bodies += 1;
          await db.query(`INSERT INTO ${bed.place.quoted}.bookings VALUES ('broken')`);
          return await body(db);
        },
        { retry: { maxAttempts: 2, initialDelay: 1 } },
      ),
    );
    const orders = await Orders.open(bed, store);
    const worker = new Worker({ store, workflows: [breaking] });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    const run = await new Client({ store }).start(breaking, undefined);
    const error = await rejection(run.result({ timeout: "100s" }));
    // Nothing is open, nothing of it is kept, and others go on over the same connection.
    const { rows } = await pool.query("SELECT pg_current_xact_id_if_assigned() AS xact");
    expect(rows).toEqual([{ xact: null }]);
    await orders.start(3);
    await orders.allWell();
    return { error: error.cause instanceof Error ? error.cause : error, bodies };
  }

  test("by an error of its own: that is its failure", async () => {
    const { error, bodies } = await play(() => Promise.reject(new Error("declined")));
    expect([bodies, String(error)]).toEqual([2, expect.stringMatching(/declined/)]);
  });

  test("by an error of its SQL: that is its failure too", async () => {
    const { error, bodies } = await play((db) => db.query("SELECT 1 / 0"));
    expect([bodies, String(error)]).toEqual([2, expect.stringMatching(/division by zero/)]);
  });

  test("by an error of its SQL that it swallows: it is told that it can't, and is not tried without end", async () => {
    const { error, bodies } = await play((db) => db.query("SELECT 1 / 0").catch(() => "never mind"));
    expect([bodies, String(error)]).toEqual([2, expect.stringMatching(/aborted.*savepoint/)]);
  });

  test("by a connection to something else that is refused: that is no outage of the store", async () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
    const { error, bodies } = await play(() => Promise.reject(refused));
    expect([bodies, String(error)]).toEqual([2, expect.stringMatching(/ECONNREFUSED/)]);
  });
});
