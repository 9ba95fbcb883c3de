import type { Database } from "better-sqlite3";
import { InvalidArgumentError, type Store } from "@everstep/core";
import { storeFailure } from "./failure.ts";
import { openDatabase } from "./open.ts";
import { SqliteStore } from "./sqlite-store.ts";

export interface SqliteOptions {
  /**
   * How long a write waits while another process keeps the file locked, in milliseconds, before it counts as an outage;
   * default 60,000. The event loop is not blocked meanwhile, and no attempt of any step is used up.
   */
  readonly lockWaitMs?: number;
  /** Refuse a file that is not there, as a tool does that looks at an existing one; by default it is created. */
  readonly mustExist?: boolean;
  /** Say false to change nothing of a file that has no tables of everstep, or older ones: it is refused then. Default true. */
  readonly migrate?: boolean;
}

const LOCK_WAIT_MS = 60_000;

/**
 * everstep's store in a SQLite file, which may also hold the application's own tables: those of everstep are named `everstep_…`.
 * Any number of processes of one machine may use the file at once. What is acknowledged survives a power cut: the file is in WAL
 * mode and this connection commits with `synchronous=FULL`, both checked on every open (on macOS a power cut may take what the
 * disk itself had not written; `PRAGMA fullfsync` is not set).
 *
 * Throws `StoreError` at once, with what to do, when the file can't be used: no SQLite database, corrupt, read-only, on a network
 * disk, or made by a newer everstep. Beside the file lie `-wal` and `-shm`, which belong to it, and one empty file per worker.
 */
export function sqlite(file: string, options: SqliteOptions = {}): Store<Database> {
  const { lockWaitMs = LOCK_WAIT_MS, mustExist = false, migrate = true } = options;
  if (!(lockWaitMs >= 0)) {
    throw new InvalidArgumentError(`lockWaitMs must be a number of milliseconds, not ${lockWaitMs}`);
  }
  const db = openDatabase(file, { mustExist, migrate });
  try {
    return new SqliteStore({ db, file: db.name, lockWaitMs, now: Date.now });
  } catch (error) {
    db.close();
    throw storeFailure(error, db.name);
  }
}
