/** P4: a `transaction(ctx, …)` commits exactly once with its journal entry, or not at all. */
import { Client, InvalidArgumentError, type Logger, Worker, workflow } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import { drizzle } from "drizzle-orm/node-postgres";
import type { ClientBase, PoolClient } from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { transaction } from "../src/postgres/index.ts";
import { transaction as ofSqlite } from "../src/sqlite/index.ts";
import { advance, entry, eventually, Hand, kinds, rejection, start } from "./hand.ts";
import { HeldPool, type Stopped } from "./postgres/held-pool.ts";
import { Holder, Place, type Session, untilBlocks } from "./postgres/place.ts";

interface Shop {
  readonly place: Place;
  readonly pool: HeldPool;
  /** Owns run `a`. */
  readonly worker: Hand;
  /** A statement of the application's own. */
  readonly insert: (db: ClientBase, id: string) => Promise<unknown>;
  readonly orders: () => Promise<readonly string[]>;
  readonly transact: (body: (db: ClientBase) => Promise<unknown>, seq?: number) => Promise<unknown>;
}

async function shop({ leaseMs = 60_000 } = {}): Promise<Shop> {
  const place = new Place();
  const pool = new HeldPool(place.url);
  const worker = await Hand.join(place.open({ over: pool.pool }), { leaseMs });
  await worker.commit(start("a", { claim: true }));
  await place.rows("CREATE TABLE @orders (id text PRIMARY KEY)");
  const orders = async (): Promise<readonly string[]> =>
    (await place.rows<{ id: string }>("SELECT id FROM @orders ORDER BY id")).map(({ id }) => id);
  return {
    place,
    pool,
    worker,
    orders,
    insert: (db, id) => db.query(`INSERT INTO ${place.quoted}.orders VALUES ($1)`, [id]),
    transact: (body, seq = 1) => {
      const settle = () => ({ entry: entry(seq), settled: [] });
      return worker.store.transact({
        worker: worker.id,
        runId: "a",
        attempt: 1,
        body: (db) => body(db as unknown as ClientBase),
        settle,
      });
    },
  };
}

/** Nothing of it was kept, and the worker goes on as if nothing had been. */
async function leftNothing({ worker, orders, transact, insert, place }: Shop): Promise<void> {
  expect(await orders()).toEqual([]);
  expect((await worker.store.read("a"))?.journal).toEqual([]);
  expect(await place.rows("SELECT FROM @guard")).toEqual([]);
  expect(await transact((db) => insert(db, "after"))).toEqual({ is: "done" });
  expect(await orders()).toEqual(["after"]);
  expect((await worker.store.read("a"))?.journal).toMatchObject([{ seq: 1, attempt: 1 }]);
}

describe("the function of a transaction does not end it", () => {
  const ends: Readonly<Record<string, readonly string[]>> = {
    commits: ["COMMIT"],
    "commits in other words": ["/* done */ END WORK"],
    "commits and begins anew": ["COMMIT AND CHAIN"],
    "commits in the middle of other statements": ["SELECT 1; COMMIT; SELECT 2"],
    "rolls back": ["ROLLBACK"],
    "rolls back and begins anew": ["ROLLBACK", "BEGIN"],
    "rolls back and begins anew at once": ["ABORT; BEGIN"],
    "prepares a transaction of two phases": ["PREPARE TRANSACTION 'mine'"],
  };

  for (const [what, statements] of Object.entries(ends)) {
    for (const swallows of [false, true]) {
      test(`one that ${what}${swallows ? ", and swallows what that throws," : ""} is refused, and nothing is kept`, async () => {
        const it = await shop();
        const error = await rejection(
          it.transact(async (db) => {
            await it.insert(db, "before");
            for (const statement of statements) {
              const done = db.query(statement);
              await (swallows ? done.catch(() => {}) : done);
            }
            const late = it.insert(db, "late");
            await (swallows ? late.catch(() => {}) : late);
          }),
        );
        expect(error.message).toMatch(/by itself|caught an error of its SQL/);
        await leftNothing(it);
      });
    }
  }

  test("the refusal is told, also when a library hides it behind an error of its own", async () => {
    const it = await shop();
    const error = await rejection(
      it.transact((db) => drizzle({ client: db as PoolClient }).transaction(() => it.insert(db, "o1"))),
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toContain("by itself");
    await leftNothing(it);
  });

  test("savepoints are its own, and may fail alone", async () => {
    const { transact, insert, orders } = await shop();
    await transact(async (db) => {
      await insert(db, "o1");
      await db.query("SAVEPOINT part");
      await insert(db, "o2");
      await rejection(insert(db, "o1"));
      await db.query("ROLLBACK TO SAVEPOINT part");
      await db.query("SAVEPOINT part");
      await insert(db, "o3");
      await db.query("RELEASE SAVEPOINT part");
    });
    expect(await orders()).toEqual(["o1", "o3"]);
  });

  test("what it throws comes back as it is, and all of it is rolled back", async () => {
    const it = await shop();
    const declined = new Error("declined");
    const error = await rejection(
      it.transact(async (db) => {
        await it.insert(db, "o1");
        throw declined;
      }),
    );
    expect(error).toBe(declined);
    await leftNothing(it);
  });

  test("a deferred constraint of its own that only the commit finds broken is its error", async () => {
    const it = await shop();
    await it.place.rows("CREATE TABLE @lines (o text REFERENCES @orders DEFERRABLE INITIALLY DEFERRED)");
    const error = await rejection(
      it.transact((db) => db.query(`INSERT INTO ${it.place.quoted}.lines VALUES ('nowhere')`)),
    );
    expect(error).toMatchObject({ code: "23503", constraint: "lines_o_fkey" });
    expect(await it.place.rows("SELECT FROM @lines")).toEqual([]);
    await leftNothing(it);
  });

  test("a constraint of its own may be checked early, by its name", async () => {
    const { place, transact, insert, orders } = await shop();
    await place.rows(
      "CREATE TABLE @lines (o text CONSTRAINT of_order REFERENCES @orders DEFERRABLE INITIALLY DEFERRED)",
    );
    await transact(async (db) => {
      await db.query(`INSERT INTO ${place.quoted}.lines VALUES ('o1')`);
      await insert(db, "o1");
      await db.query(`SET CONSTRAINTS ${place.quoted}.of_order IMMEDIATE`);
    });
    expect(await orders()).toEqual(["o1"]);
  });

  test("the store can be used from within, beside it", async () => {
    const { worker, transact, insert, orders } = await shop();
    await transact(async (db) => {
      await insert(db, "o1");
      expect(kinds(await worker.store.commit({ writes: [start("b")] }))).toEqual(["created"]);
      expect(await worker.store.count({})).toBe(2);
      expect(kinds(await worker.commit(advance("a", { tags: { city: "Lisbon" } })))).toEqual(["done"]);
    });
    expect(await orders()).toEqual(["o1"]);
  });

  test("whatever is in ids, keys and values stays what it is, also where backslashes escape", async () => {
    const place = new Place();
    const url = new URL(place.url);
    url.searchParams.set("options", "-c standard_conforming_strings=off -c backslash_quote=off");
    const worker = await Hand.join(place.open({ over: url.href }));
    const runId = `a'b\\'; DROP TABLE everstep.runs; --"$1 \u{1F600}`;
    await worker.commit(start(runId, { claim: true }));
    const odd = entry(1, { key: "key's \\", value: JSON.stringify("'; COMMIT; \\ \u0000 $$ \ud800") });
    const settle = () => ({ entry: odd, settled: ["x'\\"] });
    const request = { worker: worker.id, runId, attempt: 1, body: () => undefined, settle };
    expect(await worker.store.transact(request)).toEqual({ is: "done" });
    expect((await worker.store.read(runId))?.journal).toMatchObject([{ key: odd.key, value: odd.value }]);
  });
});

describe("F63 S3: a takeover against a transaction", () => {
  interface Contest extends Shop {
    readonly heir: Hand;
    readonly heirs: HeldPool;
  }

  async function contest(): Promise<Contest> {
    const it = await shop({ leaseMs: 1 });
    const heirs = new HeldPool(it.place.url);
    return { ...it, heirs, heir: await Hand.join(it.place.open({ over: heirs.pool })) };
  }

  async function untilReaped(heir: Hand): Promise<void> {
    await eventually("the dead worker is taken over", async () => (await heir.renew()).reaped > 0);
  }

  /** The heir has judged, and is stopped. What it renews comes to nothing before it is let go on. */
  async function judging(heir: Hand, stop: Stopped): Promise<void> {
    let isReached = false;
    const reached = stop.reached.then(() => (isReached = true));
    await eventually("the worker is judged dead", async () => {
      await Promise.race([reached, heir.renew()]);
      return isReached;
    });
  }

  test("while its function works nobody waits for it; then it is fenced, and rolled back", async () => {
    const { transact, insert, heir, orders } = await contest();
    const answer = await transact(async (db) => {
      await insert(db, "o1");
      await untilReaped(heir);
    });
    expect(answer).toEqual({ is: "fenced" });
    expect(await orders()).toEqual([]);
    expect(await heir.store.read("a")).toMatchObject({ run: { owner: null, strikes: 1 }, journal: [] });
  });

  test("one that has come as far as its fence is let finish", async () => {
    const { place, transact, insert, heir, heirs, orders } = await contest();
    let holder: Holder | undefined;
    const answer = transact(async (db) => {
      await insert(db, "o1");
      holder = await Holder.ofRun(place, "a");
    });
    await eventually("the function is over", () => holder !== undefined);
    await holder?.untilBlocks();
    const judged = heirs.before("take_over");
    await judging(heir, judged);
    judged.goOn();
    await holder?.letGo();
    expect(await answer).toEqual({ is: "done" });
    expect(await orders()).toEqual(["o1"]);
    // The takeover that was stopped may have come through by itself: only what it leaves behind tells.
    let claims: Awaited<ReturnType<typeof heir.claim>> = [];
    await eventually("the dead worker is taken over", async () => {
      await heir.renew();
      claims = await heir.claim();
      return claims.length > 0;
    });
    expect(claims).toMatchObject([{ run: { attempt: 2 }, journal: [{ seq: 1, attempt: 1 }] }]);
  });

  test("one that meets a takeover waits for it, and is fenced", async () => {
    const { place, transact, insert, heir, heirs, orders } = await contest();
    const takeover = heirs.uncommitted("take_over");
    await judging(heir, takeover);
    // It looks as if it were still alive: nothing of the takeover is committed.
    const answer = transact((db) => insert(db, "o1"));
    await untilBlocks(place.url, await takeover.reached);
    takeover.goOn();
    expect(await answer).toEqual({ is: "fenced" });
    expect(await orders()).toEqual([]);
  });

  test("one of a worker that is dead is not begun", async () => {
    const { transact, heir } = await contest();
    await untilReaped(heir);
    let calls = 0;
    const body = async (): Promise<void> => {
      calls += 1;
    };
    expect([await transact(body), calls]).toEqual([{ is: "fenced" }, 0]);
  });
});

describe("F6 F38 P4: its session ends at any point", () => {
  const kill = (place: Place, pid: number): Promise<unknown> =>
    place.rows("SELECT pg_terminate_backend($1)", pid);

  test("in the middle of its function: it is called again, and what it wrote is there once", async () => {
    const { place, worker, transact, insert, orders } = await shop();
    let calls = 0;
    const answer = await transact(async (db) => {
      await insert(db, "o1");
      calls += 1;
      if (calls === 1) await kill(place, (db as Session).processID);
      await db.query("SELECT 1");
    });
    expect([answer, calls, await orders()]).toEqual([{ is: "done" }, 2, ["o1"]]);
    expect((await worker.store.read("a"))?.journal.length).toBe(1);
  });

  test("while its commit waits: it is found out that nothing came of it, and done again", async () => {
    const { place, worker, transact, insert, orders } = await shop();
    let holder: Holder | undefined;
    let calls = 0;
    const answer = transact(async (db) => {
      await insert(db, "o1");
      calls += 1;
      holder ??= await Holder.ofRun(place, "a");
    });
    await eventually("the function is over", () => holder !== undefined);
    await holder?.untilBlocks();
    const waiting = "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
    const [row] = await place.rows<{ pid: number }>(waiting, holder?.client.processID);
    await kill(place, row?.pid ?? 0);
    await holder?.untilBlocks();
    await holder?.letGo();
    expect([await answer, calls, await orders()]).toEqual([{ is: "done" }, 2, ["o1"]]);
    expect((await worker.store.read("a"))?.journal.length).toBe(1);
  });

  test("a commit that arrives when it was done again already is refused, and nothing of it kept", async () => {
    const { place, worker, transact, insert, orders } = await shop();
    const lost = await place.connect();
    await lost.query("BEGIN");
    const open = `SELECT ${place.quoted}.open_transact($1, $2, $3) AS place`;
    const { rows } = await lost.query<{ place: string }>(open, [worker.id, "a", 1]);
    await insert(lost, "lost");
    expect(await transact((db) => insert(db, "o1"))).toEqual({ is: "done" });
    const settle = `SELECT ${place.quoted}.settle_transact($1, $2, $3, $4, $5, '[]', NULL)`;
    const values = [worker.id, "a", 1, rows[0]?.place, JSON.stringify(entry(1))];
    expect(await rejection(lost.query(settle, values))).toMatchObject({ code: "ES002" });
    await lost.query("COMMIT");
    expect(await orders()).toEqual(["o1"]);
    expect((await worker.store.read("a"))?.journal.length).toBe(1);
  });
});

describe("transaction(ctx, …) in a workflow", () => {
  const silent = (): void => {};
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent };

  test("P4: its SQL and its journal entry commit together, and what threw is rolled back and tried again", async () => {
    const { place, insert, orders } = await shop();
    const store = place.open();
    let calls = 0;
    const order = workflow({ name: "buy" }, (ctx, request: { readonly id: string }) =>
      transaction(ctx, "confirm", async (db) => {
        calls += 1;
        await insert(db, request.id);
        if (calls === 1) throw new Error("the shop's own trouble");
        const { rows } = await db.query<{ n: string }>(`SELECT count(*) AS n FROM ${place.quoted}.orders`);
        return Number(rows[0]?.n);
      }),
    );
    const worker = new Worker({ store, workflows: [order], logger });
    onTestFinished(async () => void (await worker.stop()));
    await worker.start();
    const run = await new Client({ store }).start(order, { id: "o1" }, { id: "run-1" });
    expect(await run.result()).toBe(1);
    expect([calls, await orders()]).toEqual([2, ["o1"]]);
    const { journal = [], retries } = (await store.read("run-1")) ?? {};
    expect(journal.filter(({ key }) => key === "confirm")).toMatchObject([{ kind: "step", attempt: 1 }]);
    expect(retries).toEqual([]);
  });

  test("that of another store says so, and leaves the run to a person", async () => {
    const confused = workflow({ name: "confused" }, (ctx, _input: number) =>
      ofSqlite(ctx, "confirm", (db) => db.prepare("SELECT 1").pluck().get()),
    );
    const store = new Place().open();
    const worker = new Worker({ store, workflows: [confused], logger });
    onTestFinished(async () => void (await worker.stop()));
    await worker.start();
    const client = new Client({ store });
    const run = await client.start(confused, 1);
    await eventually("it is stuck", async () => (await run.status()) === "stuck");
    expect(await client.runs.why(run.id)).toContain("the worker runs on another store");
  });

  test("on another store it says so, and leaves the run to a person", async () => {
    const confused = workflow({ name: "confused" }, (ctx, _input: number) =>
      transaction(ctx, "confirm", (db) => db.query("SELECT 1").then(({ rows }) => rows.length)),
    );
    const store = memoryStore();
    const worker = new Worker({ store, workflows: [confused], logger });
    onTestFinished(async () => void (await worker.stop()));
    await worker.start();
    const client = new Client({ store });
    const run = await client.start(confused, 1);
    await eventually("it is stuck", async () => (await run.status()) === "stuck");
    expect(await client.runs.why(run.id)).toContain("one of Postgres, but the worker runs on another store");
  });

  test("needs the ctx of a handler", async () => {
    const untyped = transaction as unknown as (...args: readonly unknown[]) => Promise<unknown>;
    const call = async (): Promise<unknown> => untyped({}, "confirm", () => 1);
    expect(await rejection(call())).toBeInstanceOf(InvalidArgumentError);
  });
});
