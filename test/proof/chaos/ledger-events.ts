import SqliteDatabase from "better-sqlite3";

/** What a worker tells the ledger: before and after the effect of a body, and when it was given a run. */
export interface WorkerEvent {
  readonly type: "begin" | "end" | "claimed";
  readonly run: string;
  /** The step's key, or `<key>/undo`. */
  readonly step: string;
  /** The step's idempotency key. Of a `claimed`: the worker's id. */
  readonly key: string;
  /** Of the step. Of a `claimed`: of the run. */
  readonly attempt: number;
  readonly pid: number;
  /** New in every execution of the body; the step's result. Of a `claimed`: how many entries the journal had. */
  readonly token: string;
  /** Of an `end`: what the body does next; of an undo's `begin`: what it was told of its step. */
  readonly outcome: string;
}

/** A line of the ledger. The order of `no` is the order in which things happened. */
export interface LedgerEvent extends Omit<WorkerEvent, "type"> {
  readonly no: number;
  /** By the ledger's own clock, in milliseconds since the epoch. */
  readonly at: number;
  /**
   * `caught`: this body's `end` was not answered before its process was killed, or woke up. `mark`: see `Mark`. `froze`: the process
   * is stopped after this line. `thawed`: it went on before this line.
   */
  readonly type: WorkerEvent["type"] | "caught" | "mark" | "froze" | "thawed";
}

/** Its writer has seen the step's entry in the journal: from now on its body must not begin. `*`: no step of the run's own must. */
export interface Mark {
  readonly run: string;
  readonly step: string;
}

export const LEDGER_SCHEMA = `
  CREATE TABLE events (
    no INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, key TEXT NOT NULL,
    attempt INTEGER NOT NULL, pid INTEGER NOT NULL, token TEXT NOT NULL, outcome TEXT NOT NULL
  ) STRICT`;

export function readLedger(file: string): LedgerEvent[] {
  const db = new SqliteDatabase(file, { readonly: true });
  try {
    return db.prepare<[], LedgerEvent>("SELECT * FROM events ORDER BY no").all();
  } finally {
    db.close();
  }
}
