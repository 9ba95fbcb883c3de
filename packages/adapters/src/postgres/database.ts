import { hash } from "node:crypto";
import { StoreError, StoreUnavailableError } from "@everstep/core";
import type { ClientBase, Pool } from "pg";
import { type Call, Connections, endQuietly, within } from "./connections.ts";
import { sqlStateOf, storeFailure } from "./failure.ts";
import { existsQuery, migrationSql, VERSION, versionQuery } from "./migrations.ts";
import { qualified, quoteIdentifier } from "./sql.ts";

/** Somebody else migrates, or holds a table: waited for so long, then said, and tried again. */
const MIGRATION_LOCK_MAX_MS = 10_000;
const OPEN_MAX_MS = 30_000;

export interface DatabaseOptions {
  readonly source: string | Pool;
  readonly schema: string;
  /** False behind a pooler that gives each transaction another session; undefined: to be found out. */
  readonly hasSessions: boolean | undefined;
  readonly migrate: boolean;
}

/** One schema of one database: its functions, its name in all that is global to the server, and its version. */
export class Database {
  readonly connections: Connections;
  readonly schema: string;
  /** The first half of every advisory lock of everstep in this schema. */
  readonly lockClass: number;
  readonly #name: string;
  readonly #migrates: boolean;
  readonly #looksForPooler: boolean;
  #ready: Promise<void> | undefined;
  #isClosed = false;
  /** Where it is, for messages. */
  readonly where: string;

  constructor({ source, schema, hasSessions, migrate }: DatabaseOptions) {
    this.connections = new Connections(source, { hasSessions: hasSessions ?? true });
    this.#looksForPooler = hasSessions === undefined;
    this.#name = schema;
    this.#migrates = migrate;
    this.schema = quoteIdentifier(schema);
    this.lockClass = Number.parseInt(hash("sha256", `everstep ${schema}`).slice(0, 7), 16);
    this.where = `Postgres, schema ${schema}`;
  }

  /** The channel of hints: a name that needs no quotes and is never too long. */
  get channel(): string {
    return `everstep_${this.lockClass.toString(16)}`;
  }

  /** Known once it is ready. */
  get hasSessions(): boolean {
    return this.connections.hasSessions;
  }

  /** Connected, and the schema is one that this build can use. Looked at once; after an outage again. */
  ready(): Promise<void> {
    if (this.#isClosed)
      return Promise.reject(new StoreError(`${this.where}: the store was closed; open another one`));
    this.#ready ??= this.#open().catch((error: unknown) => {
      this.#ready = undefined;
      throw storeFailure(error, this.where);
    });
    return this.#ready;
  }

  /** What the function of this name answers, row by row. */
  async ask(fn: string, values: Call["values"], maxMs?: number): Promise<readonly string[]> {
    await this.ready();
    try {
      const rows = await this.connections.call<{ readonly answer: string }>(this.callOf(fn, values), maxMs);
      return rows.map(({ answer }) => answer);
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** The version of the schema, 0 without one: looked at beside the pool, and nothing is changed. */
  async version(): Promise<number> {
    try {
      const client = await this.connections.dedicated();
      try {
        return await within(OPEN_MAX_MS, this.#versionOf(client));
      } finally {
        endQuietly(client);
      }
    } catch (error) {
      throw storeFailure(error, this.where);
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What a method of the store rejects with. */
  failure(error: unknown): unknown {
    if (this.#isClosed)
      return new StoreError(`${this.where}: the store was closed meanwhile`, { cause: error });
    return storeFailure(error, this.where);
  }

  callOf(fn: string, values: Call["values"]): Call {
    const holes = values.map((_, index) => `$${index + 1}`).join(", ");
    return {
      name: `everstep ${this.lockClass} ${fn}`,
      text: `SELECT ${this.schema}.${fn}(${holes}) AS answer`,
      values,
    };
  }

  /** In its text, `everstep.` stands for the schema. */
  async query<Row>(text: string, values: Call["values"]): Promise<readonly Row[]> {
    await this.ready();
    try {
      return await this.connections.call<Row>({ text: qualified(text, this.schema), values });
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** What is asked after it is refused, and nobody waits for an answer that can't come. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.connections.close();
  }

  async #open(): Promise<void> {
    // Beside the pool: the first caller may hold its only connection, with the transaction that it gives as `tx` (F43).
    const client = await this.connections.dedicated();
    try {
      await within(OPEN_MAX_MS, this.#prepare(client));
    } finally {
      endQuietly(client);
    }
  }

  async #prepare(client: ClientBase): Promise<void> {
    await warnOfLoss(client);
    if (this.#looksForPooler && this.hasSessions && (await isPooled(client))) {
      this.connections.hasSessions = false;
      warnOfPooler();
    }
    if ((await this.#versionOf(client)) === VERSION) return;
    await this.#bring(client);
  }

  async #bring(client: ClientBase): Promise<void> {
    if (!this.#migrates) throw this.#notMade(await this.#versionOf(client));
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${MIGRATION_LOCK_MAX_MS}`);
    try {
      // Of the transaction, so that it works through a pooler and is gone with whoever held it (F15, F62).
      await client.query("SELECT pg_advisory_xact_lock($1, 0)", [this.lockClass]);
      // Again, with the lock: somebody else may have been first.
      const version = await this.#versionOf(client);
      if (version < VERSION) await this.#migrate(client, version);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      throw this.#explained(error);
    }
  }

  async #migrate(client: ClientBase, version: number): Promise<void> {
    const { rows } = await client.query<{ hasSchema: boolean }>(existsQuery(this.#name));
    if (rows[0]?.hasSchema !== true) await client.query(`CREATE SCHEMA ${this.schema}`);
    await client.query(migrationSql(this.#name, version));
  }

  /** 0 without tables of everstep. Throws when only a newer build may use them. */
  async #versionOf(client: ClientBase): Promise<number> {
    const { rows: found } = await client.query<{ made: boolean }>(existsQuery(this.#name));
    if (found[0]?.made !== true) return 0;
    const { rows } = await client.query<{ version: number; oldest: number }>(versionQuery(this.#name));
    const { version = 0, oldest = 0 } = rows[0] ?? {};
    if (oldest > VERSION) {
      throw new StoreError(
        `${this.where}: it was made by a newer everstep: version ${version}, which builds for version ${oldest} or newer can use; this build is for ${VERSION}. ` +
          `Update @everstep/adapters in this program; nothing was changed`,
      );
    }
    return Math.min(version, VERSION);
  }

  #notMade(version: number): StoreError {
    const state = version === 0 ? "there are no tables of everstep" : `its tables are of version ${version}`;
    return new StoreError(
      `${this.where}: ${state}, this build needs version ${VERSION}, and it was told not to migrate; let the owner run schemaSql() of @everstep/adapters/postgres, or everstep migrate --apply`,
    );
  }

  #explained(error: unknown): unknown {
    const state = sqlStateOf(error);
    if (state === "55P03") {
      return new StoreUnavailableError(
        `${this.where}: another process has been migrating it for ${MIGRATION_LOCK_MAX_MS} ms, or keeps one of its tables locked; find it in pg_stat_activity; everstep tries again`,
        { cause: error },
      );
    }
    if (state !== "42501") return error;
    return new StoreError(
      `${this.where}: this role may not create it; let the owner of the database run schemaSql(), then grantsSql() for this role, of @everstep/adapters/postgres`,
      { cause: error },
    );
  }
}

/** A pooler makes up the process that it tells its clients of, for its own server connections change (F52). */
async function isPooled(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return !("processID" in client) || client.processID !== rows[0]?.pid;
}

function warnOfPooler(): void {
  process.emitWarning(
    "this Postgres is reached through a pooler: everstep listens to nothing and holds no session lock there, so that it polls, and a dead worker is noticed by its lease only. " +
      "Let workers connect directly, or say transactionPooler: true to postgres() if this is meant; false, if the pooler keeps a session for each connection",
    { type: "EverstepWarning", code: "EVERSTEP_POOLER" },
  );
}

let warned = false;

/** P1 depends on it: said once per process, and not refused, for it may be somebody's test server. */
async function warnOfLoss(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ fsync: string; pages: string }>(
    "SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages",
  );
  if (warned || (rows[0]?.fsync !== "off" && rows[0]?.pages !== "off")) return;
  warned = true;
  process.emitWarning(
    "this Postgres runs with fsync=off or full_page_writes=off: a power cut can lose or damage what everstep was told is durable",
    { type: "EverstepWarning", code: "EVERSTEP_NOT_DURABLE" },
  );
}
