import SqliteDatabase from "better-sqlite3";

/** What a body of a worker tells the ledger before and after its effect. */
export interface BodyEvent {
  readonly type: "begin" | "end";
  readonly run: string;
  /** The step's key, or `<key>/undo`. */
  readonly step: string;
  readonly key: string;
  readonly attempt: number;
  readonly pid: number;
  /** New in every execution of the body; the step's result. */
  readonly token: string;
  /** Of an `end`: what the body does next; of an undo's `begin`: what it was told of its step. */
  readonly outcome: string;
}

/** A line of the ledger. The order of `no` is the order in which things happened. */
export interface LedgerEvent extends Omit<BodyEvent, "type"> {
  readonly no: number;
  /** `caught`: this body's `end` was never answered, its process was killed. `mark`: see `Mark`. */
  readonly type: BodyEvent["type"] | "caught" | "mark";
}

/** Its writer has seen the step's entry in the journal: from now on its body must not begin. `*`: no step of the run's own must. */
export interface Mark {
  readonly run: string;
  readonly step: string;
}

export const LEDGER_SCHEMA = `
  CREATE TABLE events (
    no INTEGER PRIMARY KEY, type TEXT NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, key TEXT NOT NULL,
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
