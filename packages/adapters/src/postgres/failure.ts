import { StoreError, StoreUnavailableError } from "@everstep/core";

/** A write whose data Postgres can't hold. It is refused, and sinks no other write of its batch. */
export class UnstorableError extends Error {}

/** A call took longer than it may: the connection is given up, since nobody knows what it is doing. */
export class DeadlineError extends Error {}

/**
 * What a failure means to everstep:
 * again: the database refused to order two transactions; the same call may go through at once. outage: it does not answer, or not
 * now; the runtime waits and calls again. data: one write can't be stored; it alone is refused. unusable: only a person can help.
 */
export type Trouble = "again" | "outage" | "data" | "unusable";

/** By SQLSTATE or its class. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const TROUBLES: Readonly<Record<string, Trouble>> = {
  "40001": "again", // serialization failure, where a DBA made that the default (F41)
  "40P01": "again", // deadlock (F42)
  "0A000": "again", // "cached plan must not change result type", after DDL; on a new connection (F51)
  "26000": "again", // a prepared statement is gone: a pooler gave us another session (F52)
  "25006": "outage", // read-only: a failover is under way (F40)
  "25P02": "outage", // an aborted transaction was left open on this connection (F54)
  "25P03": "outage", // idle in transaction for too long (F53)
  "42501": "outage", // a right was taken away, and may be given back (F61)
  "55P03": "outage", // lock timeout (F45)
  "08": "outage", // connection
  "28": "outage", // a password that is being rotated
  "40": "outage", // rolled back
  "53": "outage", // out of connections, memory or disk
  "57": "outage", // shutdown, restart, statement timeout (F36, F37, F44)
  "58": "outage", // the operating system under it
  "22": "data",
  "23": "data",
  "54": "data",
};

/** What sockets and the driver say when there is no connection, or none any more. */
const NO_CONNECTION =
  /ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|onnection terminated|not queryable|timeout (?:exceeded|expired)|Client was closed|Query read timeout|server conn crashed/;

/** Undefined for errors that are not the database's, such as those of a `transaction` function. */
export function troubleOf(error: unknown): Trouble | undefined {
  if (error instanceof DeadlineError) return "outage";
  if (error instanceof UnstorableError) return "data";
  const state = sqlStateOf(error);
  if (state !== undefined) return TROUBLES[state] ?? TROUBLES[state.slice(0, 2)] ?? "unusable";
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof AggregateError && error.errors.length > 0) return troubleOf(error.errors[0]);
  return NO_CONNECTION.test(`${code} ${error.message}`) ? "outage" : undefined;
}

/** A batch that looked like one plain write is more than that. */
export function isNotPlain(error: unknown): boolean {
  return sqlStateOf(error instanceof StoreError ? error.cause : error) === NOT_PLAIN;
}

/** A lock that was to be taken late is held by somebody else. */
export function isInTheWay(error: unknown): boolean {
  return sqlStateOf(error instanceof StoreError ? error.cause : error) === IN_THE_WAY;
}

/** Writes that were to be done kind by kind depend on each other. */
export function isOutOfOrder(error: unknown): boolean {
  return sqlStateOf(error instanceof StoreError ? error.cause : error) === OUT_OF_ORDER;
}

/** Something that was to be stored is refused for what it is: also as what a method of the store rejects with. */
export function isRefusal(error: unknown): boolean {
  return troubleOf(error instanceof StoreError ? error.cause : error) === "data";
}

/** Five letters of the server's answer. By shape: the application's connection may come from another copy of the driver. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return "severity" in error && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** SQLSTATEs of everstep's own functions. */
export const FENCED = "ES001";
export const BROKEN_PROMISE = "ES002";
const TOO_OLD = "ES003";
const NOT_PLAIN = "ES006";
const IN_THE_WAY = "ES007";
const OUT_OF_ORDER = "ES008";
export const OWN_COMMIT = "ES004";

/** What a store's method rejects with. An error that is not the database's stays as it is. */
export function storeFailure(error: unknown, where: string): unknown {
  if (error instanceof StoreError || error instanceof StoreUnavailableError) return error;
  const trouble = troubleOf(error);
  if (trouble === undefined || !(error instanceof Error)) return error;
  const state = sqlStateOf(error);
  const what = `${where}: ${textOf(error)}${state === undefined ? "" : ` (${state})`}`;
  if (trouble === "outage" || trouble === "again") {
    return new StoreUnavailableError(`${what}; ${outageRemedy(state)}; everstep goes on by itself then`, {
      cause: error,
    });
  }
  return new StoreError(`${what}${remedyFor(state)}`, { cause: error });
}

/** A refused connection to several addresses is an AggregateError without a text of its own. */
function textOf(error: Error): string {
  if (error.message !== "") return error.message;
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
  return first instanceof Error ? first.message : error.name;
}

function outageRemedy(state: string | undefined): string {
  if (state === "42501")
    return "give this role its rights (grantsSql() of @everstep/adapters/postgres has them)";
  if (state === "25006")
    return "the server is read-only: connect to the primary, or wait for the failover to end";
  if (state?.startsWith("28") === true) return "correct the role or its password in the connection string";
  if (state?.startsWith("53") === true) return "give the server connections, memory or disk";
  return "check that the server runs and answers";
}

function remedyFor(state: string | undefined): string {
  switch (state) {
    case TOO_OLD:
      return ": update @everstep/adapters in this program and restart it; what it holds it may finish";
    case "42883":
    case "42P01":
    case "3F000":
      return "; the tables or functions of everstep are missing or of another version: update @everstep/adapters in this program, or create them (schemaSql() has the SQL)";
    case "3D000":
      return "; create the database, or correct the connection string";
    default:
      return state === BROKEN_PROMISE
        ? ""
        : "; check the server's log, and that no other program changes the tables of everstep";
  }
}
