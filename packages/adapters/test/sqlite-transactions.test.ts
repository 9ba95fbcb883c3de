import { Client, type Context, InvalidArgumentError, StoreError, Worker, workflow } from "@everstep/core";
import type { Database } from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { transaction } from "../src/sqlite/index.ts";
import { advance, entry, eventually, Hand, rejection, signal, start } from "./hand.ts";
import { connect, openStore, tempFile, thrown } from "./sqlite-bed.ts";

/** A store, a worker that owns run `a`, and a table of the application's. */
async function shop(): Promise<{
  readonly file: string;
  readonly worker: Hand<Database>;
  readonly orders: () => unknown[];
}> {
  const file = tempFile();
  const worker = await Hand.join(openStore(file));
  await worker.commit(start("a", { claim: true }));
  const db = connect(file);
  db.exec("CREATE TABLE orders (id TEXT PRIMARY KEY)");
  return { file, worker, orders: () => db.prepare("SELECT id FROM orders").pluck().all() };
}

function transact(worker: Hand<Database>, body: (db: Database) => unknown, seq = 1): Promise<unknown> {
  const settle = () => ({ entry: entry(seq), settled: [] });
  return worker.store.transact({ worker: worker.id, runId: "a", attempt: 1, body, settle });
}

const insert = (db: Database, id: string): unknown => db.prepare("INSERT INTO orders VALUES (?)").run(id);

describe("F32: the body of a transaction is synchronous and does not end it", () => {
  const bodies: Readonly<Record<string, (db: Database) => unknown>> = {
    "an async function": async (db) => {
      insert(db, "o1");
      await Promise.resolve();
    },
    "a function that answers a promise": (db) => {
      insert(db, "o1");
      return Promise.reject(new Error("nobody waits for this one"));
    },
    "a function that answers a thenable": (db) => {
      insert(db, "o1");
      return { then: () => {} };
    },
    "a function that rolls back": (db) => {
      insert(db, "o1");
      db.exec("ROLLBACK");
    },
    "a function that rolls back and begins anew": (db) => {
      insert(db, "o1");
      db.exec("ROLLBACK; BEGIN");
      insert(db, "o2");
    },
  };

  for (const [what, body] of Object.entries(bodies)) {
    test(`${what} is refused, and all of it rolled back`, async () => {
      const { worker, orders } = await shop();
      const error = await rejection(transact(worker, body));
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error.message).toContain("rolled back");
      expect(orders()).toEqual([]);
      expect((await worker.store.read("a"))?.journal).toEqual([]);
      expect(await transact(worker, () => 1)).toEqual({ is: "done" });
    });
  }

  test("a function that commits can't: SQLite refuses it, and all of it is rolled back", async () => {
    const { worker, orders } = await shop();
    const commit = (db: Database): unknown => {
      insert(db, "o1");
      return db.exec("COMMIT");
    };
    const error = await rejection(transact(worker, commit));
    expect(error.message).toContain("tried to commit by itself");
    const swallow = (db: Database): unknown => thrown(() => commit(db));
    expect(await transact(worker, swallow)).toEqual({ is: "done" });
    expect(orders()).toEqual(["o1"]);
    expect((await worker.store.read("a"))?.journal.length).toBe(1);
  });

  test("a nested db.transaction() is a savepoint, and may fail alone", async () => {
    const { worker, orders } = await shop();
    await transact(worker, (db) => {
      insert(db, "o1");
      const nested = db.transaction(() => {
        insert(db, "o2");
        throw new Error("declined");
      });
      return thrown(nested).message;
    });
    expect(orders()).toEqual(["o1"]);
  });

  test("a deferred constraint that only the commit finds broken is the body's error", async () => {
    const { worker } = await shop();
    const error = await rejection(
      transact(worker, (db) => {
        db.exec(`CREATE TABLE lines (o TEXT REFERENCES orders DEFERRABLE INITIALLY DEFERRED);
                 INSERT INTO lines VALUES ('nowhere')`);
      }),
    );
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    expect(await transact(worker, () => 1)).toEqual({ is: "done" });
  });

  test("calls of the store from within a body wait for its end", async () => {
    const { worker } = await shop();
    let started: Promise<unknown> | undefined;
    let count: Promise<number> | undefined;
    await transact(worker, () => {
      started = worker.store.commit({ writes: [start("b")] });
      count = worker.store.count({ ids: ["b"] });
    });
    expect(await started).toMatchObject([{ is: "created" }]);
    expect(await count).toBeTypeOf("number");
  });

  test("transaction() refuses an async function before it is called, and a foreign ctx", async () => {
    let calls = 0;
    const body = async (): Promise<void> => {
      calls += 1;
    };
    const untyped = transaction as unknown as (...args: readonly unknown[]) => Promise<unknown>;
    expect(thrown(() => void untyped({}, "confirm", body)).message).toContain("must not be async");
    expect(thrown(() => void untyped({}, "confirm", () => 1)).message).toContain("needs the ctx");
    expect(calls).toBe(0);
  });
});

describe("P4: transaction(ctx, …) in a workflow", () => {
  test("its SQL and its journal entry commit together, and what threw is rolled back and tried again", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    db.exec("CREATE TABLE orders (id TEXT PRIMARY KEY, place INTEGER)");
    let calls = 0;
    const order = workflow({ name: "order" }, (ctx, request: { readonly id: string }) =>
      transaction(ctx, "confirm", (tx) => {
        calls += 1;
        const { lastInsertRowid } = tx.prepare("INSERT INTO orders VALUES (?, 1)").run(request.id);
        if (calls === 1) throw new Error("deadlock of the shop's own");
        return Number(lastInsertRowid);
      }),
    );
    const worker = new Worker({ store, workflows: [order] });
    await worker.start();
    const run = await new Client({ store }).start(order, { id: "o1" }, { id: "run-1" });
    expect(await run.result()).toBe(1);
    await worker.stop();
    expect([calls, db.prepare("SELECT id FROM orders").pluck().all()]).toEqual([2, ["o1"]]);
    const { journal = [], retries } = (await store.read("run-1")) ?? {};
    expect(journal.filter(({ key }) => key === "confirm")).toMatchObject([{ kind: "step", attempt: 1 }]);
    expect(retries).toEqual([]);
  });

  test("an async function does not compile", () => {
    const misuse = (ctx: Context): unknown =>
      // @ts-expect-error: what comes after its first await would run outside of the transaction
      transaction(ctx, "confirm", async () => 1);
    expect(misuse).toBeTypeOf("function");
  });
});

describe("P4: writing with the caller's own transaction", () => {
  test("all is done, and told, before commit() returns", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    let seen: unknown;
    const promises: Promise<unknown>[] = [];
    const place = db.transaction(() => {
      db.exec("CREATE TABLE orders (id TEXT)");
      const writes = [start("a"), signal("a", "1"), signal("nobody", "1")];
      promises.push(store.commit({ writes, tx: db, onOutcomes: (outcomes) => (seen = outcomes) }));
      return db.prepare("SELECT count(*) FROM everstep_messages").pluck().get();
    });
    expect(place.immediate()).toBe(1);
    expect(await promises[0]).toBe(seen);
    expect(seen).toMatchObject([{ is: "created", claimed: false }, { is: "done" }, { is: "not-found" }]);
    expect((await store.read("a"))?.run).toMatchObject({ owner: null, inbox: 1 });
  });

  test("what is wrong is thrown at once, so that the caller's transaction rolls back", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    const place = db.transaction(() => {
      db.exec("CREATE TABLE orders (id TEXT)");
      return store.commit({ writes: [start("a"), start("b", { claim: true })], tx: db });
    });
    expect(thrown(() => place.immediate()).message).toContain("kind start can't be part");
    expect(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'orders'").pluck().get()).toBe(0);
    expect(await store.count({})).toBe(0);
  });

  test("only runs and messages can be written, without a lease", async () => {
    const file = tempFile();
    const store = openStore(file);
    const worker = await Hand.join(store);
    await worker.commit(start("a", { claim: true }));
    const db = connect(file);
    db.exec("BEGIN IMMEDIATE");
    const refused = [
      { writes: [advance("a", { entries: [entry(1)] })], tx: db },
      { writes: [{ kind: "leave" } as const], tx: db },
      { writes: [start("b")], tx: db, lease: { worker: worker.id, batch: 2 } },
    ];
    for (const batch of refused) expect(thrown(() => void store.commit(batch))).toBeInstanceOf(StoreError);
    db.exec("COMMIT");
    expect((await store.read("a"))?.journal).toEqual([]);
  });

  test("a write that can't be stored is refused alone", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    db.exec("BEGIN IMMEDIATE");
    const outcomes = await store.commit({ writes: [start("a"), start("b\ud800"), start("c")], tx: db });
    db.exec("COMMIT");
    expect(outcomes).toMatchObject([{ is: "created" }, { is: "refused" }, { is: "created" }]);
    expect(await store.count({})).toBe(2);
  });

  test("a connection that is not in a transaction, not durable, or to another file is refused with the remedy", async () => {
    const file = tempFile();
    const store = openStore(file);
    const tx = connect(file);
    expect(thrown(() => void store.commit({ writes: [], tx })).message).toContain("begin one");
    const lax = connect(file, { full: false });
    lax.pragma("synchronous = NORMAL");
    lax.exec("BEGIN");
    expect(thrown(() => void store.commit({ writes: [], tx: lax })).message).toContain(
      `db.pragma("synchronous = FULL")`,
    );
    const other = connect(tempFile());
    other.exec("BEGIN");
    expect(thrown(() => void store.commit({ writes: [], tx: other })).message).toContain("another file");
  });

  test("a connection that made bigints its default, and a link to the file, are as good as any", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    db.defaultSafeIntegers(true);
    db.exec("BEGIN IMMEDIATE");
    const outcomes = await store.commit({ writes: [start("a"), signal("a", "1"), signal("a", "2")], tx: db });
    db.exec("COMMIT");
    expect(outcomes).toMatchObject([
      { createdAt: expect.any(Number) as number },
      { is: "done" },
      { is: "done" },
    ]);
    expect((await store.read("a"))?.messages.map(({ no }) => no)).toEqual([1, 2]);
  });

  test("S10: watchers hear of it once it is committed", async () => {
    const file = tempFile();
    const store = openStore(file);
    const db = connect(file);
    let hints = 0;
    store.watch(() => {
      hints += 1;
    });
    db.exec("BEGIN IMMEDIATE");
    await store.commit({ writes: [start("a")], tx: db });
    await eventually("the hint of the write itself", () => hints > 0);
    const before = hints;
    db.exec("COMMIT");
    await eventually("a hint of the commit", () => hints > before);
  });
});
