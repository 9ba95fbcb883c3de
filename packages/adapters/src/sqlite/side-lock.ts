import { existsSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import SqliteDatabase, { type Database } from "better-sqlite3";

/**
 * How the death of a worker is noticed at once: it holds an exclusive lock on a file of its own for as long as it lives. The
 * kernel drops the lock with the process, however it dies, and keeps it while the process is frozen. (Process ids would be
 * reused, and mean nothing in another container.) The file is a SQLite database that is never written.
 */
export class SideLock {
  readonly #path: string;
  readonly #db: Database;

  private constructor(path: string, db: Database) {
    this.#path = path;
    this.#db = db;
  }

  /** Undefined where the file can't be made or locked: then the lease alone tells. */
  static take(path: string): SideLock | undefined {
    let db: Database | undefined;
    try {
      db = new SqliteDatabase(path, { timeout: 0 });
      // Without a rollback journal there is no second file to tidy up.
      db.pragma("journal_mode = MEMORY");
      db.exec("BEGIN EXCLUSIVE");
      return new SideLock(path, db);
    } catch {
      db?.close();
      return undefined;
    }
  }

  release(): void {
    this.#db.close();
    removeSideFile(this.#path);
  }
}

/** Where a worker's lock is. */
export function sideFile(file: string, worker: number): string {
  return `${file}.worker-${worker}`;
}

/** Whether nobody holds the lock. A file that can't be looked at says nothing: it counts as held. */
export function isFree(path: string): boolean {
  if (!existsSync(path)) return true;
  let db: Database | undefined;
  try {
    db = new SqliteDatabase(path, { fileMustExist: true, readonly: true, timeout: 0 });
    // Reading takes a shared lock: two that look at the same time don't take each other for the owner.
    db.prepare("SELECT 1 FROM sqlite_schema").get();
    return true;
  } catch {
    return !existsSync(path);
  } finally {
    db?.close();
  }
}

/** Best effort: an empty file that stays behind does no harm. */
export function removeSideFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Windows keeps a file that somebody holds open.
  }
}

/** Locks are seen by the processes of one kernel; workers of another one are judged by their leases alone. */
export const kernelId: string = readKernelId();

function readKernelId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return hostname();
  }
}
