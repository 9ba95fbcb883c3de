import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { InvalidArgumentError, StoreError } from "@everstep/core";
import { sqliteCodeOf, storeFailure, troubleOf } from "./failure.ts";
import { migrate, refuseNewer, refuseOlder } from "./migrate.ts";

/** While a file is opened the process may wait for another one that creates or migrates it. Nothing else runs yet. */
const OPEN_TIMEOUT_MS = 10_000;

/** The driver itself never waits for a lock: that would block the event loop. `insist` does (F23). */
const BUSY_TIMEOUT_MS = 0;

/**
 * The pages in the write-ahead log that start a checkpoint, 16 MiB of them. Pages that are written again and again go to the
 * database once per checkpoint: four times SQLite's default gave 1.2 to 1.6 times the steps per second, and fewer stalls.
 */
const CHECKPOINT_PAGES = 4_000;

/** A log that outgrew this, under a long reader, is cut back when it starts over (F30). */
const WAL_KEEP_BYTES = 64 * 1024 * 1024;

/** The driver's binary for older releases dies with SIGSEGV, before it could say anything (F34). */
const OLDEST_NODE_MAJOR = 22;

interface OpenOptions {
  readonly mustExist: boolean;
  readonly migrate?: boolean;
}

/** Opens a file for everstep, and makes it one if it is new. Throws what a person can act upon; until then nothing is changed. */
export function openDatabase(file: string, { mustExist, migrate: migrates = true }: OpenOptions): Database {
  requireNode(process.versions.node);
  const path = pathOf(file);
  requirePlace(path, mustExist);
  let db: Database | undefined;
  try {
    db = new SqliteDatabase(path, { timeout: OPEN_TIMEOUT_MS });
    refuseNewer(db);
    if (!migrates) refuseOlder(db);
    requireWal(db);
    requireFull(db);
    migrate(db);
    tune(db);
    return db;
  } catch (error) {
    db?.close();
    throw openFailure(error, path);
  }
}

export function requireNode(version: string): void {
  if (Number(version.split(".")[0]) >= OLDEST_NODE_MAJOR) return;
  throw new StoreError(
    `Node.js ${version} can't load better-sqlite3 13 (it would crash without a word); use Node.js ${OLDEST_NODE_MAJOR}.18 or newer`,
  );
}

/** Throws unless a commit is on the disk when it returns. A later connection to a WAL file falls back to NORMAL by itself (F16). */
function requireFull(db: Database): void {
  db.pragma("synchronous = FULL");
  if (!isFull(db))
    throw new StoreError(
      `${db.name}: SQLite did not accept synchronous=FULL, so commits would not be durable`,
    );
}

/** Whether a power cut can't take what this connection has committed. */
export function isFull(db: Database): boolean {
  return Number(db.pragma("synchronous", { simple: true })) >= 2;
}

/** Throws unless the file is in WAL mode afterwards. Without it readers block writers, and over a network nothing is safe (F33). */
export function requireWal(db: Database): void {
  const mode = switchToWal(db);
  db.pragma(`busy_timeout = ${OPEN_TIMEOUT_MS}`);
  if (mode === "wal") return;
  throw new StoreError(
    `${db.name}: SQLite can't keep a write-ahead log here (journal_mode is ${String(mode)}): the file is probably on a network or ` +
      `overlay file system; put it on a local disk, or use Postgres`,
  );
}

/**
 * Many processes may create a file at once. SQLite's own waiting would let two of them wait for each other in this statement,
 * each with a lock that the other one needs, until one gives up: so each tries without waiting, lets go and tries again.
 */
function switchToWal(db: Database): unknown {
  const deadline = performance.now() + OPEN_TIMEOUT_MS;
  db.pragma("busy_timeout = 0");
  for (;;) {
    try {
      return db.pragma("journal_mode = WAL", { simple: true });
    } catch (error) {
      if (troubleOf(error) !== "busy" || performance.now() > deadline) throw error;
      pause(1 + Math.random() * 20);
    }
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function tune(db: Database): void {
  // The driver's default; `Transacting` depends on it.
  db.pragma("foreign_keys = ON");
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma(`journal_size_limit = ${WAL_KEEP_BYTES}`);
}

function pathOf(file: string): string {
  if (file.trim() === "" || file === ":memory:") {
    throw new InvalidArgumentError(
      `sqlite(${JSON.stringify(file)}) would forget everything: give the path of a file, or use memoryStore() of @everstep/core/testing in tests`,
    );
  }
  if (file.startsWith("file:")) {
    throw new InvalidArgumentError(
      `sqlite(${JSON.stringify(file)}): give a path, not a URL; fileURLToPath of node:url makes one`,
    );
  }
  return resolve(file);
}

/** What SQLite would say less clearly, or after it has touched something (F27, F28). */
function requirePlace(path: string, mustExist: boolean): void {
  const directory = dirname(path);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new StoreError(`${path}: there is no directory ${directory}; create it, or correct the path`);
  }
  requireWritable(
    directory,
    `${path}: this process may not write to its directory, where SQLite keeps its log`,
  );
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined && mustExist)
    throw new StoreError(`${path}: there is no such file; check the path`);
  if (stats !== undefined && !stats.isFile()) throw new StoreError(`${path} is not a file`);
  if (stats !== undefined) requireWritable(path, `${path}: this process may not write the file`);
  const logBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if ((stats?.size ?? 0) === 0 && logBytes > 0) {
    throw new StoreError(
      `${path} is ${stats === undefined ? "missing" : "empty"}, but its log ${path}-wal is not: SQLite would delete the log. ` +
        `Restore the database together with its log; or, to begin anew, remove the log`,
    );
  }
}

function requireWritable(path: string, problem: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new StoreError(`${problem}; give the user that runs it the right to`, { cause: error });
  }
}

/** At this moment nothing heals by itself: what can't be opened is a wrong path or a wrong permission. */
function openFailure(error: unknown, path: string): unknown {
  const code = sqliteCodeOf(error);
  if (code?.startsWith("SQLITE_CANTOPEN") === true) {
    return new StoreError(`${path} can't be opened (${code}); check the path and its permissions`, {
      cause: error,
    });
  }
  return storeFailure(error, path);
}
