/** A server that says no: it orders, deadlocks, is too slow, keeps something locked, or changes its tables. Runs go on by themselves. */
import { Client, type Store, Worker } from "@everstep/core";
import { describe, expect, test } from "vitest";
import type { PostgresTx } from "../src/postgres/index.ts";
import { Bed } from "./postgres/bed.ts";
import { advance, entry, eventually, Hand, kinds, signal, start } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";
import { Holder } from "./postgres/place.ts";

describe("F41: an isolation that refuses what can't be put in order", () => {
  for (const isolation of ["serializable", "repeatable read"]) {
    test(`${isolation} by default: two workers and four senders get everything done, once`, async () => {
      const bed = await Bed.ofOwnDatabase();
      await bed.setForNewSessions("default_transaction_isolation", isolation);
      const stores = Array.from({ length: 4 }, () => bed.open());
      const [first = bed.open(), second = first, third = first] = stores;
      const orders = await Orders.open(bed, first);
      const other = new Worker({ store: second, workflows: [orders.workflow] });
      await other.start();
      const afar = new Orders(bed, third);
      const parked = ["a", "b", "c"];
      await third.commit({ writes: parked.map((id) => start(id, { due: { inMs: 3_600_000 } })) });
      const send = async (store: Store<PostgresTx>, sender: number): Promise<void> => {
        const client = new Client({ store });
        for (let round = 0; round < 20; round++) {
          const id = `${sender}/${round}`;
          await Promise.all(parked.map((run) => client.get(run).signal("go", round, { id })));
        }
      };
      await Promise.all([afar.start(60), ...stores.map(send)]);
      orders.started.push(...afar.started);
      await orders.allWell();
      for (const id of parked) expect((await third.read(id))?.run.inbox).toBe(4 * 20);
      await Promise.all([other.stop(), orders.worker.stop()]);
      // What never happened was not tested.
      expect((await bed.statistics(stores)).rollbacks).toBeGreaterThan(0);
    });
  }

  test("a transaction whose SQL is refused is called again, without a failed attempt", async () => {
    const bed = new Bed();
    let refusals = 0;
    const orders = await Orders.open(bed, bed.open(), {
      sql: async (db) => {
        if (refusals++ < 3) await db.query("DO $$ BEGIN RAISE 'no order' USING ERRCODE = '40001'; END $$");
      },
    });
    await orders.start(1);
    await orders.allWell();
    expect(orders.bookings).toBe(4);
  });
});

describe("F42: deadlocks", () => {
  test("of a batch with a caller's transaction: whoever is refused, nothing is lost", async () => {
    const bed = new Bed();
    const hand = await Hand.join(bed.open());
    await hand.commit(start("a", { claim: true }), start("b", { claim: true }));
    const caller = await bed.place.connect();
    // Postgres refuses the first one that has waited for so long: the batch.
    await caller.query("SET deadlock_timeout = '1min'");
    await caller.query("BEGIN");
    await hand.store.commit({ writes: [signal("b", "1")], tx: caller });
    const batch = hand.commit(advance("a", { entries: [entry(1)] }), advance("b", { entries: [entry(1)] }));
    await eventually("the batch waits for b", async () => (await bed.backends()).some(({ waits }) => waits));
    await hand.store.commit({ writes: [signal("a", "1")], tx: caller });
    await caller.query("COMMIT");
    expect(kinds(await batch)).toEqual(["done", "done"]);
    for (const id of ["a", "b"]) {
      const details = await hand.store.read(id);
      expect([details?.journal.length, details?.messages.length]).toEqual([1, 1]);
    }
    expect(await hand.claim()).toEqual([]);
  });

  test("of a transaction's body with the application: it is called again", async () => {
    const bed = new Bed();
    await bed.migrate();
    await bed.place.rows("CREATE TABLE @stock AS SELECT sku, 5 AS left FROM unnest(ARRAY['x', 'y']) sku");
    const take = (sku: string): string =>
      `UPDATE ${bed.place.quoted}.stock SET "left" = "left" - 1 WHERE sku = '${sku}'`;
    const first = Promise.withResolvers<void>();
    const crossed = Promise.withResolvers<void>();
    const orders = await Orders.open(bed, bed.open(), {
      sql: async (db) => {
        await db.query(take("x"));
        first.resolve();
        await crossed.promise;
        await db.query(take("y"));
      },
    });
    await orders.start(1);
    await first.promise;
    const caller = await bed.place.connect();
    await caller.query("SET deadlock_timeout = '1min'");
    await caller.query("BEGIN");
    await caller.query(take("y"));
    crossed.resolve();
    await eventually("the body waits for y", async () => (await bed.backends()).some(({ waits }) => waits));
    await caller.query(take("x"));
    await caller.query("COMMIT");
    await orders.allWell();
    expect(orders.bookings).toBe(2);
    expect(await bed.place.rows(`SELECT sku, "left" FROM @stock ORDER BY sku`)).toEqual([
      { sku: "x", left: 3 },
      { sku: "y", left: 3 },
    ]);
  });

  test("don't happen between batches, claims, cancels and takeovers", async () => {
    const bed = await Bed.ofOwnDatabase();
    const [store, ...stores] = [bed.open(), bed.open(), bed.open(), bed.open()];
    const ids = Array.from({ length: 30 }, (_, n) => `run-${n}`);
    await store.commit({ writes: ids.map((id) => start(id)) });
    const shuffled = (): string[] => ids.toSorted(() => Math.random() - 0.5);
    const work = async (own: Store<PostgresTx>): Promise<void> => {
      const hand = await Hand.join(own, { leaseMs: 200 });
      for (let round = 0; round < 40; round++) {
        const claims = await hand.claim(10);
        const release = claims.map(({ run: { id, attempt } }) =>
          advance(id, { attempt, then: { do: "release" } }),
        );
        const signals = shuffled()
          .slice(0, 10)
          .map((id) => signal(id, `${hand.id}/${round}`));
        const mixed = [...release, ...signals].toSorted(() => Math.random() - 0.5);
        await Promise.all([
          hand.commit(...mixed).catch(() => {}),
          store.commit({ writes: shuffled().map((id) => signal(id, `${hand.id}/${round}/out`)) }),
          hand.renew(),
        ]);
      }
    };
    await Promise.all(stores.map(work));
    const { commits, deadlocks } = await bed.statistics([store, ...stores]);
    expect(commits).toBeGreaterThan(100);
    expect(deadlocks).toBe(0);
  });
});

/** The first few writes to the journal take longer than anybody waits. */
async function makeJournalSlow(bed: Bed, times: number): Promise<void> {
  await bed.place.rows("CREATE SEQUENCE @hiccups");
  const nextval = `nextval('${bed.place.quoted.replaceAll("'", "''")}.hiccups')`;
  await bed.place.rows(
    `CREATE FUNCTION @hiccup() RETURNS trigger LANGUAGE plpgsql AS $f$
     BEGIN IF ${nextval} <= ${times} THEN PERFORM pg_sleep(30); END IF; RETURN NEW; END $f$`,
  );
  await bed.place.rows(
    "CREATE TRIGGER hiccup BEFORE INSERT ON @journal FOR EACH ROW EXECUTE FUNCTION @hiccup()",
  );
}

describe("F44: statement_timeout", () => {
  test("of a write to the journal is an outage, whichever write it is", async () => {
    const bed = new Bed();
    await Orders.makeTable(bed);
    await makeJournalSlow(bed, 5);
    const orders = await Orders.open(bed, bed.open({ settings: { statement_timeout: "150ms" } }));
    await orders.start(4);
    await orders.allWell();
  });
});

describe("F45: a row that somebody else keeps locked", () => {
  for (const settings of [{ lock_timeout: "50ms" }, {}]) {
    test(`with ${JSON.stringify(settings)}: nothing of the batch is dropped`, async () => {
      const bed = new Bed();
      const orders = await Orders.open(bed, bed.open({ settings }));
      const gate = orders.hold("charge");
      await orders.start(10);
      await gate.reached;
      const holder = await Holder.ofRun(bed.place, "order-3");
      gate.open();
      const since = performance.now();
      await eventually("a while", async () => performance.now() - since > 1_000);
      await holder.letGo();
      await orders.allWell();
    });
  }

  test("a takeover waits for it, and the worker that wants it lives on", async () => {
    const bed = new Bed();
    const victim = await Hand.join(bed.open(), { leaseMs: 100 });
    await victim.commit(start("a", { claim: true }), start("b", { claim: true }));
    const holder = await Holder.ofRun(bed.place, "b");
    const heir = await Hand.join(bed.open(), { leaseMs: 2_000 });
    const since = performance.now();
    await eventually("it outlives its lease", async () => {
      expect(await heir.renew()).toMatchObject({ live: true, reaped: 0 });
      return performance.now() - since > 2_500;
    });
    await holder.letGo();
    await eventually("the victim is taken over", async () => (await heir.renew()).reaped === 1);
    expect((await heir.claim()).map(({ run }) => [run.id, run.strikes])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
  });

  test("a claim takes the others", async () => {
    const bed = new Bed();
    const hand = await Hand.join(bed.open({ settings: { lock_timeout: "50ms" } }));
    await hand.store.commit({ writes: [start("a"), start("b"), start("c")] });
    const holder = await Holder.ofRun(bed.place, "b");
    expect((await hand.claim()).map(({ run }) => run.id)).toEqual(["a", "c"]);
    await holder.letGo();
    await eventually("b is claimed too", async () => (await hand.claim()).some(({ run }) => run.id === "b"));
  });
});

describe("F51: DDL under load", () => {
  test("columns are added to every table, and nobody notices", async () => {
    const bed = new Bed();
    const orders = await Orders.open(bed, bed.open());
    await orders.during(async () => {
      for (const table of ["runs", "journal", "messages", "retries", "tags", "workers"]) {
        await orders.progress(10);
        await bed.place.rows(`ALTER TABLE @${table} ADD COLUMN note text DEFAULT 'x'`);
      }
      await orders.progress(10);
    });
    await orders.allWell();
    expect(orders.complaints).toEqual([]);
  });

  test("a prepared statement of a transaction's body whose result changes is prepared anew", async () => {
    const bed = new Bed();
    await Orders.makeTable(bed);
    const orders = await Orders.open(bed, bed.open({ pool: { max: 1 } }), {
      sql: (db, run) =>
        db.query({
          name: "mine",
          text: `SELECT * FROM ${bed.place.quoted}.bookings WHERE run = $1`,
          values: [run],
        }),
    });
    await orders.start(1);
    await orders.allWell();
    await bed.place.rows("ALTER TABLE @bookings ADD COLUMN note text");
    await orders.start(1);
    await orders.allWell();
  });
});
