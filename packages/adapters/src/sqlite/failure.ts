import { StoreError, StoreUnavailableError } from "@everstep/core";
import { UnstorableError } from "./statement.ts";

/** The connection is inside the transaction of a `transaction()` body just now; it is free again when that body returned. */
export class ConnectionInUseError extends Error {}

/**
 * What a failure means to everstep:
 * busy: another connection holds the lock; try again soon. outage: the disk does not take it now; the runtime waits and tries
 * again. data: one write can't be stored; it alone is refused. unusable: only a person can help.
 */
export type Trouble = "busy" | "outage" | "data" | "unusable";

const TROUBLES: Readonly<Record<string, Trouble>> = {
  BUSY: "busy",
  LOCKED: "busy",
  PROTOCOL: "busy",
  FULL: "outage",
  IOERR: "outage",
  NOMEM: "outage",
  CANTOPEN: "outage",
  INTERRUPT: "outage",
  CONSTRAINT: "data",
  TOOBIG: "data",
  MISMATCH: "data",
  RANGE: "data",
};

/** Undefined for errors that are not the store's, such as those of a `transaction()` body. */
export function troubleOf(error: unknown): Trouble | undefined {
  if (error instanceof ConnectionInUseError) return "busy";
  if (error instanceof UnstorableError) return "data";
  const code = sqliteCodeOf(error);
  if (code !== undefined) return TROUBLES[code.split("_")[1] ?? ""] ?? "unusable";
  // What the driver throws for a parameter that it can't bind.
  return error instanceof TypeError || error instanceof RangeError ? "data" : undefined;
}

/** E.g. `SQLITE_BUSY_SNAPSHOT`. By name: the application's connection may come from another copy of the driver. */
export function sqliteCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error.code.startsWith("SQLITE_") ? error.code : undefined;
}

/** What a store's method rejects with. An error that is not SQLite's stays as it is. */
export function storeFailure(error: unknown, file: string): unknown {
  if (error instanceof UnstorableError) return new StoreError(`${file}: ${error.message}`, { cause: error });
  const code = sqliteCodeOf(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const what = `${file}: ${error.message} (${code})`;
  if (troubleOf(error) === "outage") {
    return new StoreUnavailableError(
      `${what}; ${OUTAGE_REMEDIES[code] ?? "check its disk"}; everstep goes on by itself then`,
      {
        cause: error,
      },
    );
  }
  if (troubleOf(error) === "busy") return lockedTooLong(file, error);
  return new StoreError(`${what}; ${remedyFor(code)}`, { cause: error });
}

/** Some other connection has kept the file locked for longer than a writer waits. */
export function lockedTooLong(file: string, cause: unknown): StoreUnavailableError {
  return new StoreUnavailableError(
    `${file} is still locked by a transaction that another process, or this one, has left open; find it (e.g. with fuser) and end it; everstep goes on by itself then`,
    { cause },
  );
}

const OUTAGE_REMEDIES: Readonly<Record<string, string>> = {
  SQLITE_FULL: "free some space on its disk",
  SQLITE_CANTOPEN: "check its directory and the limit of open files",
  SQLITE_NOMEM: "the process is out of memory",
};

function remedyFor(code: string): string {
  if (code.startsWith("SQLITE_CORRUPT")) {
    return "stop all processes that use it, keep a copy of it and of its -wal file, and restore a backup or use `sqlite3 <file> .recover`; everstep changes nothing in it";
  }
  if (code.startsWith("SQLITE_NOTADB")) {
    return "it is not a SQLite database, or its beginning was overwritten: check the path, or restore a backup; everstep changes nothing in it";
  }
  if (code.startsWith("SQLITE_READONLY") || code.startsWith("SQLITE_PERM")) {
    return "this process must be able to write the file and its directory";
  }
  return "check the file with `PRAGMA integrity_check` and that no other program changes the tables named everstep_*";
}
