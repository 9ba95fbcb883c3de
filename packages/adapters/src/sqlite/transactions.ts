import type { Database } from "better-sqlite3";
import { ConnectionInUseError, troubleOf } from "./failure.ts";
import { prepare } from "./statement.ts";

/** The only door to BEGIN and COMMIT on the store's own connection. All is synchronous: no transaction outlives a turn. */
export class Transactions {
  readonly #db: Database;
  readonly #beginWrite;
  readonly #beginRead;
  readonly #commit;
  readonly #rollback;
  readonly #savepoints: Savepoints;

  constructor(db: Database) {
    this.#db = db;
    // A deferred transaction that turns into a writing one fails at once when another has written meanwhile (F22).
    this.#beginWrite = prepare(db, "BEGIN IMMEDIATE");
    this.#beginRead = prepare(db, "BEGIN DEFERRED");
    this.#commit = prepare(db, "COMMIT");
    this.#rollback = prepare(db, "ROLLBACK");
    this.#savepoints = new Savepoints(db);
  }

  /** Durable when it returns. Throws with nothing kept. */
  write<T>(work: () => T): T {
    return this.#within(this.#beginWrite, work);
  }

  /** All that `work` reads is from one snapshot. */
  read<T>(work: () => T): T {
    return this.#within(this.#beginRead, work);
  }

  /** Keeps what `work` did, or nothing of it and the answer of `refuse` when its data can't be stored. */
  guard<T>(work: () => T, refuse: (reason: string) => T): T {
    return this.#savepoints.guard(work, refuse);
  }

  #within<T>(begin: { run(): unknown }, work: () => T): T {
    if (this.#db.inTransaction) throw new ConnectionInUseError("the connection is in a transaction");
    begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      // SQLite itself has rolled back after some failures, such as a full disk.
      if (this.#db.inTransaction) this.#rollback.run();
      throw error;
    }
  }
}

/** A transaction's parts that can fail alone. */
export class Savepoints {
  readonly #begin;
  readonly #undo;
  readonly #release;

  constructor(db: Database) {
    this.#begin = prepare(db, "SAVEPOINT everstep");
    this.#undo = prepare(db, "ROLLBACK TO everstep");
    this.#release = prepare(db, "RELEASE everstep");
  }

  guard<T>(work: () => T, refuse: (reason: string) => T): T {
    try {
      return this.all(work);
    } catch (error) {
      if (troubleOf(error) !== "data") throw error;
      return refuse(error instanceof Error ? error.message : String(error));
    }
  }

  /** All of `work` or nothing. */
  all<T>(work: () => T): T {
    this.#begin.run();
    try {
      const result = work();
      this.#release.run();
      return result;
    } catch (error) {
      this.#undo.run();
      this.#release.run();
      throw error;
    }
  }
}
