import type { Database } from "better-sqlite3";
import type { Outcome, OutboxEvent, OutboxRow, ShippedWrite } from "@everstep/core";
import { DONE } from "./scope.ts";
import { prepare, storable } from "./statement.ts";
import type { Transactions } from "./transactions.ts";

/** Events for the world outside: stored with what they tell of, handed out for a while, gone when they have arrived. */
export class Outbox {
  readonly #insert;
  readonly #waiting;
  readonly #take;
  readonly #ship;

  constructor(db: Database) {
    this.#insert = prepare<[string, string]>(db, `INSERT INTO everstep_outbox (id, text) VALUES (?, ?)`);
    // Passes over those only that others have taken.
    this.#waiting = prepare<[number, number], OutboxRow>(
      db,
      `SELECT no, id, text FROM everstep_outbox WHERE no > 0 AND taken_until <= ? ORDER BY no LIMIT ?`,
    );
    this.#take = prepare<[number, number]>(db, `UPDATE everstep_outbox SET taken_until = ? WHERE no = ?`);
    this.#ship = prepare<[number]>(db, `DELETE FROM everstep_outbox WHERE no = ?`);
  }

  add(events: readonly OutboxEvent[]): void {
    for (const { id, text } of events) {
      this.#insert.run(storable(id, "the event's id"), storable(text, "the event"));
    }
  }

  /** Writes only if there is something to take. */
  take(
    { limit, forMs }: { readonly limit: number; readonly forMs: number },
    now: number,
    transactions: Transactions,
  ): readonly OutboxRow[] {
    if (this.#waiting.get(now, 1) === undefined) return [];
    return transactions.write(() => {
      const rows = this.#waiting.all(now, limit);
      for (const { no } of rows) this.#take.run(now + forMs, no);
      return rows;
    });
  }

  ship({ nos }: ShippedWrite): Outcome {
    for (const no of nos) this.#ship.run(no);
    return DONE;
  }
}
