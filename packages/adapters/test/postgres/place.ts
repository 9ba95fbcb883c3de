/** A schema of its own for a test in the server of the test run, with stores and connections that are gone after it. */
import { randomUUID } from "node:crypto";
import type { Store } from "@everstep/core";
import { Client, escapeIdentifier, escapeLiteral, type Pool, type QueryResultRow } from "pg";
import { inject, onTestFinished } from "vitest";
import { Database } from "../../src/postgres/database.ts";
import { postgres, type PostgresOptions, type PostgresTx } from "../../src/postgres/index.ts";
import { workerLock } from "../../src/postgres/sql.ts";
import { eventually } from "../hand.ts";

/** What of a connection of the application tests use. */
export type Session = Client & { readonly processID: number };

export class Place {
  readonly url: string;
  readonly schema: string;

  constructor(url: string = inject("databaseUrl"), schema = `t ${randomUUID()}`) {
    this.url = url;
    this.schema = schema;
    onTestFinished(() => dropSchema(url, schema));
  }

  /** Its quoted name. */
  get quoted(): string {
    return escapeIdentifier(this.schema);
  }

  open(options: PostgresOptions & { readonly over?: string | Pool } = {}): Store<PostgresTx> {
    const { over = this.url, ...rest } = options;
    const store = postgres(over, { schema: this.schema, ...rest });
    onTestFinished(() => store.close());
    return store;
  }

  connect(): Promise<Session> {
    return connect(this.url);
  }

  /** The session that holds the lock of this worker, if there is one. */
  async lockHolder(worker: number): Promise<number | undefined> {
    const { lockClass } = new Database({
      source: this.url,
      schema: this.schema,
      hasSessions: true,
      migrate: false,
    });
    const [row] = await this.rows<{ pid: number }>(
      `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $1::int::oid AND objid = ${workerLock("$2::int")}`,
      lockClass,
      worker,
    );
    return row?.pid;
  }

  /** Rows of one statement, in which `@` before a name stands for the schema: `SELECT * FROM @runs`. */
  async rows<Row extends QueryResultRow>(sql: string, ...values: readonly unknown[]): Promise<Row[]> {
    const client = new Client(this.url);
    await client.connect();
    try {
      const { rows } = await client.query<Row>(sql.replaceAll("@", `${this.quoted}.`), [...values]);
      return rows;
    } finally {
      await client.end();
    }
  }
}

/** A connection that ends with the test. */
export async function connect(url: string): Promise<Session> {
  const client = new Client(url);
  // Tests end sessions from outside.
  client.on("error", () => {});
  onTestFinished(() => client.end());
  await client.connect();
  return client as Session;
}

async function dropSchema(url: string, schema: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS ${escapeIdentifier(schema)} CASCADE`);
  await client.end();
}

/** An open transaction that stands in the way of others. */
export class Holder {
  readonly client: Session;
  readonly #place: Place;

  private constructor(place: Place, client: Session) {
    this.#place = place;
    this.client = client;
  }

  /** Locks these rows, as `SELECT … FOR UPDATE` would. */
  static async of(place: Place, sql: string): Promise<Holder> {
    const client = await place.connect();
    await client.query("BEGIN");
    await client.query(sql.replaceAll("@", `${place.quoted}.`));
    return new Holder(place, client);
  }

  static ofRun(place: Place, id: string): Promise<Holder> {
    return Holder.of(place, `SELECT FROM @runs WHERE id = ${escapeLiteral(id)} FOR NO KEY UPDATE`);
  }

  async query(sql: string): Promise<void> {
    await this.client.query(sql.replaceAll("@", `${this.#place.quoted}.`));
  }

  /** Resolves when so many others wait for it, directly or for one who waits. */
  untilBlocks(count = 1): Promise<void> {
    return untilBlocks(this.#place.url, this.client.processID, count);
  }

  async letGo(): Promise<void> {
    await this.client.query("COMMIT");
  }
}

/** Resolves when so many sessions wait for this one, directly or behind another that does. */
export async function untilBlocks(url: string, pid: number, count = 1): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    await eventually(`${count} sessions wait for session ${pid}`, async () => {
      const { rows } = await client.query<{ waiting: string }>(
        `WITH RECURSIVE blocked (pid) AS (
           SELECT pid FROM pg_stat_activity WHERE $1::int = ANY (pg_blocking_pids(pid))
           UNION SELECT a.pid FROM pg_stat_activity a, blocked b WHERE b.pid = ANY (pg_blocking_pids(a.pid))
         ) SELECT count(*) AS waiting FROM blocked`,
        [pid],
      );
      return Number(rows[0]?.waiting) >= count;
    });
  } finally {
    await client.end();
  }
}
