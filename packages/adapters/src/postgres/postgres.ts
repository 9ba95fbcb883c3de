import { InvalidArgumentError, type Store } from "@everstep/core";
import type { Pool } from "pg";
import { Database } from "./database.ts";
import { DEFAULT_SCHEMA } from "./migrations.ts";
import { PostgresStore } from "./postgres-store.ts";
import type { PostgresTx } from "./tx.ts";

export interface PostgresOptions {
  /** The Postgres schema in which everstep's tables and functions are, and nothing else should be; default `everstep`. */
  readonly schema?: string;
  /**
   * Say true behind a pooler that gives each transaction another session, such as PgBouncer in transaction mode. Nothing is
   * listened for and no session lock is held then: what other processes do is found by polling, and a dead worker by its lease. A
   * pooler that is found without it is taken for such a one, with a warning; say false behind one that keeps sessions.
   */
  readonly transactionPooler?: boolean;
  /** Say false when this role must not create or change the schema: then it has to be there, see `schemaSql`. Default true. */
  readonly migrate?: boolean;
}

/** What Postgres keeps of a name. */
const NAME_MAX_BYTES = 63;

/**
 * everstep's store in a Postgres database, for any number of workers on any number of machines. Give a connection string, or the
 * application's own `pg` pool, which stays yours to close; one connection more than the pool's is used, for heartbeats and hints.
 * It connects at the first use, and creates its tables in a schema of their own when they are missing: many processes may start at
 * once. What is acknowledged is as durable as the server makes its commits; `synchronous_commit` is switched on where it is off.
 *
 * Its methods reject with `StoreError`, which says what to do, when the database can't be used, and with `StoreUnavailableError`
 * while it does not answer: workers wait for it, and use no attempt of a step up.
 */
export function postgres(connection: string | Pool, options: PostgresOptions = {}): Store<PostgresTx> {
  const { schema = DEFAULT_SCHEMA, transactionPooler, migrate = true } = options;
  checkConnection(connection);
  checkSchema(schema);
  const hasSessions = transactionPooler === undefined ? undefined : !transactionPooler;
  return new PostgresStore(new Database({ source: connection, schema, hasSessions, migrate }));
}

export function checkConnection(connection: string | Pool): void {
  if (typeof connection !== "string") {
    if (typeof connection?.connect === "function") return;
    throw new InvalidArgumentError(
      "postgres() needs a connection string or a Pool of pg; is DATABASE_URL set?",
    );
  }
  if (/^postgres(?:ql)?:\/\//.test(connection)) return;
  throw new InvalidArgumentError(
    `postgres() needs a connection string that begins with postgres://, and was given one that does not (its text is not shown: it may hold a password)`,
  );
}

export function checkSchema(schema: string): void {
  const isName =
    schema !== "" &&
    schema.isWellFormed() &&
    !schema.includes("\0") &&
    Buffer.byteLength(schema) <= NAME_MAX_BYTES;
  if (isName && !/^pg_|^information_schema$/.test(schema)) return;
  throw new InvalidArgumentError(
    `schema must be a name of 1 to ${NAME_MAX_BYTES} bytes that Postgres does not keep for itself, not ${JSON.stringify(schema)}`,
  );
}
