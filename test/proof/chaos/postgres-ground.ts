import { type Context, type Store, StoreUnavailableError } from "@everstep/core";
import { Pool, type PoolClient } from "pg";
import { postgres, transaction } from "@everstep/adapters/postgres";
import type { Evidence, Posting } from "./evidence.ts";
import type { Ground, PostgresPlace } from "./ground.ts";

/** The server ended the session, or there was none to be had: classes 57P and 08, and what the driver and the sockets say. */
const OUTAGE_CODES = /^(?:57P0[0-9]|08...|53...|ECONN\w+|EPIPE|ETIMEDOUT)$/;
const OUTAGE_WORDS = /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded)/;

/** The application's tables lie in a schema of their own, beside that of everstep. */
export class PostgresGround implements Ground {
  readonly store: Store;
  readonly #schema: string;
  readonly #application: string;
  readonly #pool: Pool;

  constructor({ url, schema, transactionPooler = false }: PostgresPlace) {
    this.#schema = schema;
    this.#application = `${schema}_shop`;
    this.store = postgres(url, { schema, transactionPooler });
    this.#pool = new Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 5_000 });
    // A connection that breaks fails its next query, or is replaced. Listened to from the first moment on: what the server says
    // right after its welcome is heard before whoever asked for the connection has it.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => void client.on("error", () => {}));
  }

  async createApplication(): Promise<void> {
    // No constraint: a row too many is to be seen.
    await this.#pool.query(`
      CREATE SCHEMA ${this.#application};
      CREATE TABLE ${this.#application}.postings (run text NOT NULL, step text NOT NULL, token text NOT NULL);
      CREATE TABLE ${this.#application}.requests (run text PRIMARY KEY)`);
  }

  post(ctx: Context, name: string): Promise<string> {
    return transaction(ctx, name, async (client): Promise<string> => {
      const { rows } = await client.query<{ token: string }>(
        `INSERT INTO ${this.#application}.postings (run, step, token)
         VALUES ($1, $2, gen_random_uuid()::text) RETURNING token`,
        [ctx.run.id, name],
      );
      return rows[0]?.token ?? "";
    });
  }

  async request(run: string, start: (tx: unknown) => Promise<unknown>): Promise<void> {
    await this.#within(async (client) => {
      await client.query("BEGIN");
      await client.query(
        `INSERT INTO ${this.#application}.requests (run) VALUES ($1) ON CONFLICT DO NOTHING`,
        [run],
      );
      await start(client);
      await client.query("COMMIT");
    });
  }

  isOutage(error: unknown): boolean {
    if (error instanceof StoreUnavailableError) return true;
    if (!(error instanceof Error)) return false;
    const { code } = error as NodeJS.ErrnoException;
    return OUTAGE_CODES.test(code ?? "") || OUTAGE_WORDS.test(error.message);
  }

  async isLive(pid: number): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `SELECT FROM ${this.#schema}.workers WHERE pid = $1 AND live`,
      [pid],
    );
    return (rowCount ?? 0) > 0;
  }

  async readApplication(): Promise<Pick<Evidence, "postings" | "requests" | "integrity" | "liveWorkers">> {
    const postings = await this.#pool.query<Posting>(
      `SELECT run, step, token FROM ${this.#application}.postings`,
    );
    const requests = await this.#pool.query<{ run: string }>(`SELECT run FROM ${this.#application}.requests`);
    const live = await this.#pool.query(`SELECT FROM ${this.#schema}.workers WHERE live`);
    return {
      liveWorkers: live.rowCount ?? 0,
      postings: postings.rows,
      requests: requests.rows.map(({ run }) => run),
      integrity: await this.#damage(),
    };
  }

  /** The tables one by one, each of their rows as text. */
  async find(text: string): Promise<readonly string[]> {
    const tables = await this.#pool.query<{ name: string }>(
      "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'",
      [this.#schema],
    );
    const found: string[] = [];
    for (const { name } of tables.rows) {
      const { rowCount } = await this.#pool.query(
        `SELECT FROM ${name} AS found WHERE strpos(found::text, $1) > 0 LIMIT 1`,
        [text],
      );
      if (rowCount !== 0) found.push(name);
    }
    return found;
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.#pool.end();
  }

  /** What amcheck finds in the tables and indexes; where the server does not have it, only whether these are valid. */
  async #damage(): Promise<string[]> {
    return this.#within(async (client) => {
      const invalid = await client.query<{ name: string }>(
        `SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
         WHERE relnamespace = $1::regnamespace AND NOT indisvalid
         UNION ALL
         SELECT conname FROM pg_constraint WHERE connamespace = $1::regnamespace AND NOT convalidated`,
        [this.#schema],
      );
      return [
        ...invalid.rows.map(({ name }) => `${name} is not valid`),
        ...(await amcheck(client, this.#schema)),
      ];
    });
  }

  async #within<T>(act: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      const result = await act(client);
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }
}

async function amcheck(client: PoolClient, schema: string): Promise<string[]> {
  const available = await client.query("SELECT FROM pg_available_extensions WHERE name = 'amcheck'");
  if (available.rowCount === 0) return [];
  await client.query("CREATE EXTENSION IF NOT EXISTS amcheck");
  const { rows } = await client.query<{ name: string; check: string }>(
    `SELECT pg_class.oid::regclass::text AS name,
       CASE relkind WHEN 'r' THEN 'SELECT msg FROM verify_heapam($1::regclass)'
                    ELSE 'SELECT NULL AS msg FROM bt_index_check($1::regclass, true)' END AS check
     FROM pg_class LEFT JOIN pg_am ON pg_am.oid = relam
     WHERE relnamespace = $1::regnamespace AND (relkind = 'r' OR (relkind = 'i' AND amname = 'btree'))`,
    [schema],
  );
  const problems: string[] = [];
  for (const { name, check } of rows) {
    try {
      const found = await client.query<{ msg: string | null }>(check, [name]);
      for (const { msg } of found.rows) if (msg !== null && msg !== "") problems.push(`${name}: ${msg}`);
    } catch (error) {
      problems.push(`${name}: ${String(error)}`);
    }
  }
  return problems;
}
