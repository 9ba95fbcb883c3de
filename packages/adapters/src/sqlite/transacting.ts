import type { Database } from "better-sqlite3";
import {
  type AdvanceWrite,
  InvalidArgumentError,
  type Outcome,
  StoreError,
  type TransactRequest,
} from "@everstep/core";
import type { AdvanceWrites } from "./advance-writes.ts";
import { sqliteCodeOf, troubleOf } from "./failure.ts";
import { DONE, FENCED, type Scope } from "./scope.ts";
import { prepare } from "./statement.ts";
import type { Transactions } from "./transactions.ts";

/** What the caller's own code threw, on its way through the rollback: it is not the store's, and never tried again here. */
export class CallerError extends Error {
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    super("thrown by the caller's function");
    this.thrown = thrown;
  }
}

type Answer = { readonly is: "done" } | { readonly is: "fenced" };

/**
 * The caller's SQL and its journal entry in one transaction. A caller that commits by itself would tear them apart: while the
 * body runs, a row in `everstep_guard` breaks a deferred foreign key, so SQLite refuses every COMMIT.
 */
export class Transacting {
  readonly #db: Database;
  readonly #transactions: Transactions;
  readonly #advances: AdvanceWrites;
  readonly #isLive;
  readonly #guard;
  readonly #unguard;

  constructor(db: Database, transactions: Transactions, advances: AdvanceWrites) {
    this.#db = db;
    this.#transactions = transactions;
    this.#advances = advances;
    db.exec(`
      CREATE TEMP TABLE everstep_nothing (id INTEGER PRIMARY KEY);
      CREATE TEMP TABLE everstep_guard (id INTEGER REFERENCES everstep_nothing DEFERRABLE INITIALLY DEFERRED)`);
    this.#isLive = prepare<[number], number>(
      db,
      `SELECT 1 FROM everstep_workers WHERE id = ? AND live = 1`,
    ).pluck();
    this.#guard = prepare(db, `INSERT INTO temp.everstep_guard VALUES (1)`);
    this.#unguard = prepare(db, `DELETE FROM temp.everstep_guard`);
  }

  apply<T>(request: TransactRequest<Database, T>, now: number): Answer {
    try {
      return this.#transactions.write(() => this.#write(request, now));
    } catch (error) {
      // What only COMMIT finds out: a deferred constraint of the caller's tables.
      if (sqliteCodeOf(error)?.startsWith("SQLITE_CONSTRAINT") === true) throw new CallerError(error);
      throw error;
    }
  }

  #write<T>(request: TransactRequest<Database, T>, now: number): Answer {
    const { worker, runId, attempt } = request;
    const scope: Scope = {
      now,
      worker: this.#isLive.get(worker) === undefined ? null : worker,
      changed: [],
      over: [],
    };
    // The lock is held, so what holds before the body holds after it: a fenced worker's body is not even called (S3).
    if (!this.#advances.owns(request, scope)) return FENCED as Answer;
    const { entry, settled, outbox } = this.#settle(request);
    const write = { kind: "advance", runId, attempt, entries: [entry], settled } as const;
    const outcome = this.#record(outbox === undefined ? write : { ...write, outbox }, scope);
    if (outcome !== DONE)
      throw new StoreError(`run ${runId}: the body of a transaction changed tables of everstep`);
    return DONE as Answer;
  }

  #record(write: AdvanceWrite, scope: Scope): Outcome {
    try {
      return this.#advances.apply(write, scope);
    } catch (error) {
      if (troubleOf(error) !== "data") throw error;
      throw new StoreError(`run ${write.runId}: its entry can't be stored: ${String(error)}`, {
        cause: error,
      });
    }
  }

  #settle<T>(request: TransactRequest<Database, T>): ReturnType<TransactRequest<Database, T>["settle"]> {
    try {
      return request.settle(this.#call(request.body));
    } catch (error) {
      // The disk's failures are outages, whoever ran into them; anything else is the caller's.
      if (sqliteCodeOf(error) !== undefined && troubleOf(error) === "outage") throw error;
      explainGuard(error);
      throw new CallerError(error);
    }
  }

  #call<T>(body: (db: Database) => T | Promise<T>): T {
    if (isAsync(body)) throw asyncBody();
    this.#guard.run();
    const value = body(this.#db);
    // A body that ended the transaction has taken the guard's row with it.
    if (!this.#db.inTransaction || this.#unguard.run().changes !== 1) throw ownCommit();
    if (isPromise(value)) {
      value.then(undefined, () => {});
      throw asyncBody();
    }
    return value;
  }
}

/** Whether it was written with `async`, so that calling it would already begin what can not be taken back. */
export function isAsync(body: unknown): boolean {
  return Object.prototype.toString.call(body) === "[object AsyncFunction]";
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** SQLite words the refusal of the guard like any broken reference. The error stays the caller's own. */
function explainGuard(error: unknown): void {
  if (!(error instanceof Error) || sqliteCodeOf(error) !== "SQLITE_CONSTRAINT_FOREIGNKEY") return;
  error.message += " (or the function of a transaction tried to commit by itself, which everstep refuses)";
}

function asyncBody(): InvalidArgumentError {
  return new InvalidArgumentError(
    "the function of a SQLite transaction must be synchronous: what comes after an await would run outside of the transaction. It was rolled back; do the waiting in a step before",
  );
}

function ownCommit(): InvalidArgumentError {
  return new InvalidArgumentError(
    "the function of a transaction must not begin, commit or roll back by itself: everstep commits its work together with the journal. It was rolled back; use db.transaction() for a part that may fail alone",
  );
}
