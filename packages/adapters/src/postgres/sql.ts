/** What the SQL of all functions has in common. */

/** The store's clock (S9): not that of the transaction, which stands still while it waits for a lock. */
export const NOW = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/** The second half of the shared advisory lock of sessions that listen to ends. */
export const ENDS_LOCK: number = 2 ** 31 - 1;

/** That of a worker's lock, of its id (F58): neither 0, which is that of migrations, nor ENDS_LOCK. */
export const workerLock = (id: string): string => `((${id} - 1) % 2147483645 + 1)`;

/**
 * Settings of the functions that are called from outside, and with them of those that they call. Their statements are few, small and
 * run without end: planned once per session, and never compiled. Such a plan must not depend on what the statistics of a young table
 * say, so each looks rows up by an index: no sequential scans, and where rows are joined to those of a batch, `OFFSET 0` keeps the
 * batch on the outer side (with 20,000 owned runs a plan by their owner took 6 ms a batch of a hundred).
 *
 * And whoever may create functions or operators somewhere in a session's search_path changes nothing of what is meant here (F60).
 */
const SETTINGS =
  "SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off";

export interface SqlFunction {
  /** Name, parameters and what it returns, as in `claim(worker bigint) RETURNS SETOF text`. */
  readonly head: string;
  /** PL/pgSQL from DECLARE or BEGIN on. */
  readonly body: string;
  /** All its statements see one snapshot. */
  readonly stable?: true;
  /** Called by other functions only: settings cost some microseconds a call. */
  readonly inner?: true;
  /**
   * How long it waits for a lock; `9s` by default, which is less than a call may take. What waits behind a row that somebody keeps
   * locked is to give up itself: its caller can only hang up, which the server does not notice meanwhile (F45). Null: as the caller's
   * own transaction does.
   */
  readonly lockTimeout?: string | null;
}

const LOCK_TIMEOUT = "9s";

/** In SQL, `everstep.` stands before what is in the store's schema, whatever that is called. */
export function qualified(sql: string, schema: string): string {
  return sql.replace(/\beverstep\.(?=[a-z])/g, () => `${schema}.`);
}

/** DDL of a function in the schema. Its body is a literal, so that no schema's name can end it. */
export function createFunction(schema: string, fn: SqlFunction): string {
  const { body, stable } = fn;
  const head = qualified(fn.head, schema);
  const volatility = stable === true ? "STABLE" : "VOLATILE";
  const text = quoteLiteral(qualified(body, schema));
  return `CREATE FUNCTION ${schema}.${head} LANGUAGE plpgsql ${volatility}${settingsOf(fn)} AS ${text};`;
}

function settingsOf({ inner, lockTimeout = LOCK_TIMEOUT }: SqlFunction): string {
  if (inner === true) return "";
  return lockTimeout === null ? ` ${SETTINGS}` : ` ${SETTINGS} SET lock_timeout = '${lockTimeout}'`;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Safe whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const escaped = text.replaceAll("'", "''");
  return escaped.includes("\\") ? ` E'${escaped.replaceAll("\\", "\\\\")}'` : `'${escaped}'`;
}
