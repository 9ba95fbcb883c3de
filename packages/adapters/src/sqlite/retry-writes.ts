import type { Database } from "better-sqlite3";
import type { RetryState } from "@everstep/core";
import { prepare, storable } from "./statement.ts";

/** The one mutable row of each step that has not settled. */
export class RetryWrites {
  readonly #keep;
  readonly #settle;
  readonly #drop;
  readonly #reset;

  constructor(db: Database) {
    this.#keep = prepare<[number, string, number, number, number | null, string | null, number]>(
      db,
      `INSERT INTO everstep_retries (run, key, failures, first_at, next_at, error, in_doubt) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (run, key) DO UPDATE SET failures = excluded.failures, first_at = excluded.first_at,
         next_at = excluded.next_at, error = excluded.error, in_doubt = excluded.in_doubt`,
    );
    this.#settle = prepare<[number, string]>(db, `DELETE FROM everstep_retries WHERE run = ? AND key = ?`);
    this.#drop = prepare<[number]>(db, `DELETE FROM everstep_retries WHERE run = ?`);
    // What needed a person starts anew. A doubt outlives the person's "go on" in the step's row.
    this.#reset = prepare<[number, number, number]>(
      db,
      `UPDATE everstep_retries SET failures = 0, first_at = ?, next_at = ? WHERE run = ? AND next_at IS NULL`,
    );
  }

  keep(no: number, retries: readonly RetryState[]): void {
    for (const retry of retries) {
      this.#keep.run(
        no,
        storable(retry.key, "the retry's key"),
        retry.failures,
        retry.firstAt,
        retry.nextAt,
        retry.error === undefined ? null : storable(retry.error, "the retry's error"),
        Number(retry.inDoubt),
      );
    }
  }

  settle(no: number, keys: readonly string[]): void {
    for (const key of keys) this.#settle.run(no, key);
  }

  /** All of the run's. */
  drop(no: number): void {
    this.#drop.run(no);
  }

  /** Those that need a person. */
  resume(no: number, now: number): void {
    this.#reset.run(now, now, no);
  }
}
