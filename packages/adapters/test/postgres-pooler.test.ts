/** F52: behind a pooler that gives each transaction another session, nothing of a session is relied upon. */
import { Client, type Logger, type Store, Worker, workflow } from "@everstep/core";
import { type ClientBase, Pool } from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { type PostgresTx, transaction } from "../src/postgres/index.ts";
import { eventually, Hand } from "./hand.ts";
import {
  type PgBouncer,
  type PgBouncerOptions,
  pgBouncerPath,
  startPgBouncer,
} from "./postgres/pgbouncer.ts";
import { connect, Place } from "./postgres/place.ts";

const silent = (): void => {};
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent };
const why = pgBouncerPath === undefined ? "skipped: there is no pgbouncer here, " : "";

async function bouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  const started = await startPgBouncer(new Place().url, options);
  onTestFinished(() => started.stop());
  return started;
}

/** Every kind of work, by two workers and a client. */
async function work(place: Place, open: () => Store<PostgresTx>, url: string): Promise<void> {
  const stores = [open(), open()];
  await stores[0]?.count({});
  await place.rows("CREATE TABLE @orders (id text PRIMARY KEY)");
  const order = workflow({ name: "order" }, async (ctx, _input: number) => {
    await ctx.step("charge", () => "charged");
    await transaction(ctx, "confirm", async (db) => {
      await db.query(`INSERT INTO ${place.quoted}.orders VALUES ($1)`, [ctx.run.id]);
    });
    return ctx.waitForSignal<string>("shipped");
  });
  const workers = stores.map((store) => new Worker({ store, workflows: [order], logger }));
  onTestFinished(async () => void (await Promise.all(workers.map((worker) => worker.stop()))));
  await Promise.all(workers.map((worker) => worker.start()));
  const client = new Client({ store: open() });
  const pool = new Pool({ connectionString: url, max: 2 });
  onTestFinished(() => pool.end());
  const connection = await pool.connect();
  await connection.query("BEGIN");
  await client.start(order, 0, { id: "order-0", tx: connection });
  await connection.query("COMMIT");
  connection.release();
  const ids = Array.from({ length: 20 }, (_, n) => `order-${n}`);
  await Promise.all(ids.slice(1).map((id, n) => client.start(order, n, { id })));
  await Promise.all(ids.map((id) => client.get(id).signal("shipped", id)));
  const results = await Promise.all(ids.map((id) => client.get(id).result({ timeout: "100s" })));
  expect(results).toEqual(ids);
  expect((await place.rows("SELECT FROM @orders")).length).toBe(20);
}

/** What a session keeps beyond a transaction. */
async function sessionState(client: ClientBase): Promise<unknown> {
  const { rows } = await client.query(`SELECT
    (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
    (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
    (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
    (SELECT count(*)::int FROM pg_settings WHERE source = 'session' AND name NOT IN
      ('client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings', 'application_name')) AS settings,
    (SELECT count(*)::int FROM pg_class WHERE relpersistence = 't') AS temporary`);
  return rows[0];
}

const NOTHING = { prepared: 0, channels: 0, locks: 0, settings: 0, temporary: 0 };

function warnings(): string[] {
  const heard: string[] = [];
  const hear = (warning: Error & { readonly code?: string }): unknown => heard.push(warning.code ?? "");
  process.on("warning", hear);
  onTestFinished(() => void process.off("warning", hear));
  return heard;
}

test("F52: with transactionPooler a session is left as it was found", async () => {
  const place = new Place();
  const pool = new Pool({ connectionString: place.url, max: 1 });
  onTestFinished(() => pool.end());
  const store = place.open({ over: pool, transactionPooler: true });
  await work(place, () => store, place.url);
  const client = await pool.connect();
  expect(await sessionState(client)).toEqual(NOTHING);
  client.release();
  const locks =
    "SELECT FROM pg_locks l JOIN pg_class c ON l.relation = c.oid WHERE c.relnamespace = $1::regnamespace";
  await eventually("it holds no lock", async () => (await place.rows(locks, place.quoted)).length === 0);
});

describe.skipIf(pgBouncerPath === undefined)(`${why}F52: behind PgBouncer in transaction mode`, () => {
  test("with transactionPooler all goes well over changing sessions", async () => {
    const place = new Place();
    const { url } = await bouncer({ mode: "transaction", poolSize: 3 });
    const heard = warnings();
    await work(place, () => place.open({ over: url, transactionPooler: true }), url);
    expect(heard).toEqual([]);
  });

  test("without it the pooler is found out, said once for each store, and all goes well", async () => {
    const place = new Place();
    const { url } = await bouncer({ mode: "transaction", poolSize: 2 });
    const heard = warnings();
    await work(place, () => place.open({ over: url }), url);
    expect(heard).toEqual(["EVERSTEP_POOLER", "EVERSTEP_POOLER", "EVERSTEP_POOLER"]);
    // Two transactions at once are in the two sessions that there are.
    const clients = [await connect(url), await connect(url)];
    for (const client of clients) await client.query("BEGIN");
    for (const client of clients) expect(await sessionState(client)).toEqual(NOTHING);
  });

  test("workers behind it and workers that connect directly share a schema, each judged as it can be", async () => {
    const place = new Place();
    const { url } = await bouncer({ mode: "transaction", poolSize: 2 });
    const pooled = await Hand.join(place.open({ over: url, transactionPooler: true }));
    const direct = await Hand.join(place.open());
    expect(await place.rows("SELECT id::int, has_lock FROM @workers ORDER BY id")).toEqual([
      { id: pooled.id, has_lock: false },
      { id: direct.id, has_lock: true },
    ]);
    const since = performance.now();
    await eventually("they looked at each other for two seconds", async () => {
      for (const hand of [pooled, direct])
        expect(await hand.renew()).toMatchObject({ live: true, reaped: 0 });
      return performance.now() - since > 2_000;
    });
  });
});

describe.skipIf(pgBouncerPath === undefined)(`${why}behind PgBouncer in session mode`, () => {
  test("sessions are used when that is said, and nothing is warned of", async () => {
    const place = new Place();
    const { url } = await bouncer({ mode: "session", poolSize: 20 });
    const heard = warnings();
    const hand = await Hand.join(place.open({ over: url, transactionPooler: false }));
    expect(await place.lockHolder(hand.id)).toBeDefined();
    expect(heard).toEqual([]);
  });
});
