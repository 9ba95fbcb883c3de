/** P4: what is handed in with the caller's own `tx` commits with the caller's rows, through whichever library holds the transaction. */
import {
  Client,
  InvalidArgumentError,
  RunConflictError,
  RunNotFoundError,
  StoreError,
  Worker,
  workflow,
} from "@everstep/core";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { pgSchema, text } from "drizzle-orm/pg-core";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import { Pool } from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { drizzleTx, kyselyTx, type PostgresTx, prismaTx } from "../src/postgres/index.ts";
import { advance, entry, eventually, Hand, kinds, park, rejection, signal, start } from "./hand.ts";
import { Place, type Session, untilBlocks } from "./postgres/place.ts";

const order = workflow({ name: "order" }, (_ctx, input: number) => input);

interface Shop {
  readonly place: Place;
  readonly client: Client<PostgresTx>;
  readonly pool: Pool;
  /** The ids of the application's own rows, and of runs. */
  readonly kept: () => Promise<{ readonly orders: readonly string[]; readonly runs: readonly string[] }>;
}

async function shop(name?: string): Promise<Shop> {
  const place = name === undefined ? new Place() : new Place(undefined, `${name} ${crypto.randomUUID()}`);
  const store = place.open();
  await store.count({});
  await place.rows("CREATE TABLE @orders (id text PRIMARY KEY)");
  const pool = new Pool({ connectionString: place.url, max: 2 });
  onTestFinished(() => pool.end());
  const idsOf = async (table: string): Promise<readonly string[]> =>
    (await place.rows<{ id: string }>(`SELECT id FROM @${table} ORDER BY id`)).map(({ id }) => id);
  const kept = async () => ({ orders: await idsOf("orders"), runs: await idsOf("runs") });
  return { place, client: new Client({ store }), pool, kept };
}

/** Opens a transaction with some library, inserts an order and does the work in it, and commits, or rolls back when that throws. */
type Library = (
  { place, pool }: Shop,
  id: string,
  work: (tx: PostgresTx) => Promise<unknown>,
) => Promise<unknown>;

const LIBRARIES: Readonly<Record<string, Library>> = {
  async "a pg Client"({ place }, id, work) {
    const client = await place.connect();
    await client.query("BEGIN");
    try {
      await client.query(`INSERT INTO ${place.quoted}.orders VALUES ($1)`, [id]);
      await work(client);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    }
  },

  async "a client of a pg Pool"({ place, pool }, id, work) {
    const client = await pool.connect();
    try {
      await client.query("BEGIN ISOLATION LEVEL SERIALIZABLE");
      await client.query(`INSERT INTO ${place.quoted}.orders VALUES ($1)`, [id]);
      await work(client);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  },

  Drizzle({ place, pool }, id, work) {
    const orders = pgSchema(place.schema).table("orders", { id: text().primaryKey() });
    return drizzle({ client: pool }).transaction(async (tx) => {
      await tx.insert(orders).values({ id });
      await work(drizzleTx(tx, sql));
    });
  },

  Kysely({ place, pool }, id, work) {
    const db = new Kysely<{ orders: { id: string } }>({ dialect: new PostgresDialect({ pool }) });
    return db
      .withSchema(place.schema)
      .transaction()
      .execute(async (trx) => {
        await trx.insertInto("orders").values({ id }).execute();
        await work(kyselyTx(trx, CompiledQuery));
      });
  },

  /** By its shape: Prisma itself has to be generated and brings an engine. https://www.prisma.io/docs/orm/prisma-client/queries/transactions */
  "what has the shape of Prisma"({ place, pool }, id, work) {
    type Raw = { $queryRawUnsafe(query: string, ...values: unknown[]): Promise<unknown> };
    const prisma = {
      async $transaction<T>(body: (tx: Raw) => Promise<T>): Promise<T> {
        const client = await pool.connect();
        // Its parameters are numbered as ours; it answers the rows themselves.
        const $queryRawUnsafe: Raw["$queryRawUnsafe"] = async (query, ...values) =>
          (await client.query<Record<string, unknown>>(query, values)).rows;
        try {
          await client.query("BEGIN");
          const result = await body({ $queryRawUnsafe });
          await client.query("COMMIT");
          return result;
        } catch (error) {
          await client.query("ROLLBACK");
          throw error;
        } finally {
          client.release();
        }
      },
    };
    return prisma.$transaction(async (tx) => {
      await tx.$queryRawUnsafe(`INSERT INTO ${place.quoted}.orders VALUES ($1)`, id);
      await work(prismaTx(tx));
    });
  },
};

/** Compiled only: what a program writes, without a cast. */
export async function asAProgramWritesIt(pool: Pool, client: Client<PostgresTx>): Promise<void> {
  await drizzle({ client: pool }).transaction(async (tx) => {
    const run = await client.start(order, 1, { tx: drizzleTx(tx, sql) });
    await run.signal("paid", { amount: 1 }, { tx: drizzleTx(tx, sql) });
  });
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
  await db.transaction().execute((trx) => client.start(order, 1, { tx: kyselyTx(trx, CompiledQuery) }));
  const connection = await pool.connect();
  await client.start(order, 1, { tx: connection });
  // @ts-expect-error: Drizzle's own transaction has another `query`
  await drizzle({ client: pool }).transaction((tx) => client.start(order, 1, { tx }));
}

for (const [library, within] of Object.entries(LIBRARIES)) {
  describe(`P4: a transaction of ${library}`, () => {
    test("commits runs and signals with its own rows", async () => {
      const it = await shop();
      const hand = await Hand.join(it.place.open());
      await hand.commit(start("parked", { claim: true }), park("parked"));
      await within(it, "o1", async (tx) => {
        const run = await it.client.start(order, 7, { id: `o'1"\\$1`, tags: { of: "it's" }, tx });
        await it.client.get("parked").signal("go", { "a'b": "\\" }, { id: "s1", tx });
        expect(run.id).toBe(`o'1"\\$1`);
        expect((await it.kept()).runs).toEqual(["parked"]);
      });
      expect(await it.kept()).toEqual({ orders: ["o1"], runs: [`o'1"\\$1`, "parked"] });
      expect((await hand.claim()).map(({ run, messages }) => [run.id, run.tags, messages.length])).toEqual([
        [`o'1"\\$1`, { of: "it's" }, 0],
        ["parked", {}, 1],
      ]);
    });

    test("rolls them back with its own rows", async () => {
      const it = await shop();
      const declined = new Error("declined");
      const error = await rejection(
        within(it, "o1", async (tx) => {
          await it.client.start(order, 7, { id: "r1", tx });
          throw declined;
        }).then(String),
      );
      expect(error).toBe(declined);
      expect(await it.kept()).toEqual({ orders: [], runs: [] });
    });

    test("goes on after a refusal, or rolls back with it, as its program likes", async () => {
      const it = await shop();
      await it.client.start(order, 1, { id: "taken" });
      await within(it, "o1", async (tx) => {
        const conflict = await rejection(it.client.start(order, 2, { id: "taken", tx }));
        expect(conflict).toBeInstanceOf(RunConflictError);
        const unknown = await rejection(it.client.get("nobody").signal("go", 1, { tx }));
        expect(unknown).toBeInstanceOf(RunNotFoundError);
        await it.client.start(order, 1, { id: "taken", tx });
        await it.client.start(order, 1, { id: "r1", tx });
      });
      expect(await it.kept()).toEqual({ orders: ["o1"], runs: ["r1", "taken"] });
    });
  });
}

describe("P4: the caller's own transaction", () => {
  async function begun({ place }: Shop): Promise<Session> {
    const client = await place.connect();
    await client.query("BEGIN");
    return client;
  }

  test("a connection that is not in a transaction is refused with the remedy, and nothing is kept", async () => {
    const it = await shop();
    for (const tx of [await it.place.connect(), it.pool]) {
      const error = await rejection(it.client.start(order, 1, { id: "a", tx }));
      expect(error).toBeInstanceOf(StoreError);
      expect(error.message).toContain("not in a transaction; begin one");
    }
    expect((await it.kept()).runs).toEqual([]);
  });

  test("something else than a transaction is refused with the remedy", async () => {
    const { client } = await shop();
    for (const tx of [{}, { query: {} }, "tx"]) {
      const error = await rejection(client.start(order, 1, { tx: tx as unknown as PostgresTx }));
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error.message).toContain("drizzleTx()");
    }
  });

  test("only runs and messages can be written, without a lease", async () => {
    const it = await shop();
    const { store } = await Hand.join(it.place.open());
    const hand = await Hand.join(store);
    await hand.commit(start("a", { claim: true }));
    const tx = await begun(it);
    const refused = [
      { writes: [advance("a", { entries: [entry(1)] })], tx },
      { writes: [{ kind: "leave" } as const], tx },
      { writes: [start("b", { claim: true })], tx },
      { writes: [start("b")], tx, lease: { worker: hand.id, batch: 2 } },
    ];
    for (const batch of refused) expect(await rejection(store.commit(batch))).toBeInstanceOf(StoreError);
    await tx.query("COMMIT");
    expect((await store.read("a"))?.journal).toEqual([]);
    expect((await it.kept()).runs).toEqual(["a"]);
  });

  test("a write that can't be stored is refused alone, and the transaction goes on", async () => {
    const it = await shop();
    const tx = await begun(it);
    const store = it.place.open();
    const writes = [start("a"), start("b\0"), start("c\ud800"), start("d"), signal("d", "1\0")];
    expect(kinds(await store.commit({ writes, tx }))).toEqual([
      "created",
      "refused",
      "refused",
      "created",
      "refused",
    ]);
    await tx.query("COMMIT");
    expect((await it.kept()).runs).toEqual(["a", "d"]);
  });

  test("F1: the same id in two open transactions: the second waits for the end of the first", async () => {
    const it = await shop();
    for (const [end, expected] of [
      ["COMMIT", "RunConflictError"],
      ["ROLLBACK", "started"],
    ] as const) {
      const [one, two] = [await begun(it), await begun(it)];
      await it.client.start(order, 1, { id: end, tx: one });
      const second = it.client.start(order, 2, { id: end, tx: two }).then(
        () => "started",
        (error: unknown) => (error instanceof Error ? error.name : "thrown"),
      );
      await untilBlocks(it.place.url, one.processID);
      await one.query(end);
      expect(await second).toBe(expected);
      await two.query("COMMIT");
    }
  });

  test("schemas with odd names are found by every library", async () => {
    for (const library of Object.keys(LIBRARIES)) {
      const it = await shop(`$2::int, "x" $1`);
      await LIBRARIES[library]?.(it, "o1", (tx) => it.client.start(order, 1, { id: "r1", tx }));
      expect(await it.kept(), `with ${library}`).toEqual({ orders: ["o1"], runs: ["r1"] });
    }
  });

  test("S10: watchers of this store and of others hear of it at its commit, and not before", async () => {
    const it = await shop();
    const stores = [it.place.open(), it.place.open()] as const;
    const heard = stores.map((store) => {
      const runs: string[] = [];
      store.watch(({ runIds = [] }) => void runs.push(...runIds), "work");
      return runs;
    });
    const [store] = stores;
    // Whatever is heard of a run that was started later is heard after what was said before it.
    const listens = async (id: string): Promise<void> => {
      await it.place.open().commit({ writes: [start(id)] });
      for (const runs of heard) await eventually(`it hears of ${id}`, () => runs.includes(id));
    };
    await eventually("both listen", async () => {
      const id = crypto.randomUUID();
      await it.place.open().commit({ writes: [start(id)] });
      return heard.every((runs) => runs.length > 0);
    });
    const tx = await begun(it);
    await store.commit({ writes: [start("a")], tx });
    await listens("b");
    expect(heard.map((runs) => runs.includes("a"))).toEqual([false, false]);
    await tx.query("COMMIT");
    for (const runs of heard) await eventually("it hears of a", () => runs.includes("a"));
  });

  test("a worker of the same process begins it at once", async () => {
    const it = await shop();
    const store = it.place.open();
    const client = new Client({ store });
    const worker = new Worker({ store, workflows: [order] });
    onTestFinished(async () => void (await worker.stop()));
    await worker.start();
    // Once it has looked for work in vain, it looks again after ten seconds or a hint.
    const tx = await begun(it);
    const run = await client.start(order, 7, { tx });
    await tx.query("COMMIT");
    expect(await run.result({ timeout: "8s" })).toBe(7);
  });
});
