import type { Database } from "better-sqlite3";
import type { EndStatus, MessageWrite, Outcome } from "@everstep/core";
import { DONE, NOT_FOUND, type Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

interface Recipient {
  readonly no: number;
  readonly inbox: number;
  readonly ended: EndStatus | null;
}

/** Puts messages into the inboxes of runs. */
export class MessageWrites {
  readonly #recipient;
  readonly #seen;
  readonly #insert;
  readonly #signal;
  readonly #cancel;

  constructor(db: Database) {
    this.#recipient = prepare<[string], Recipient>(
      db,
      `SELECT no, inbox, ended FROM everstep_runs WHERE id = ?`,
    );
    this.#seen = prepare<[number, string], number>(
      db,
      `SELECT 1 FROM everstep_messages WHERE run = ? AND id = ?`,
    ).pluck();
    this.#insert = prepare<[number, number, string, string, string, string, number]>(
      db,
      `INSERT INTO everstep_messages (run, no, type, id, name, payload, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    // S6: a parked run is due with the message. A signal leaves a stuck run to its person, and a delayed start to its time; a
    // cancel waits for neither.
    this.#signal = prepare<[now: number, now: number, run: number]>(
      db,
      `UPDATE everstep_runs SET inbox = inbox + 1,
         due_at = iif(owner IS NULL AND stuck IS NULL AND attempt > 0, min(ifnull(due_at, ?), ?), due_at)
       WHERE no = ?`,
    );
    this.#cancel = prepare<[now: number, now: number, run: number]>(
      db,
      `UPDATE everstep_runs SET inbox = inbox + 1, stuck = NULL,
         due_at = iif(owner IS NULL, min(ifnull(due_at, ?), ?), due_at)
       WHERE no = ?`,
    );
  }

  apply({ runId, message }: MessageWrite, scope: Scope): Outcome {
    const run = this.#recipient.get(storable(runId, "the run's id"));
    if (run === undefined) return NOT_FOUND;
    // S7: a seen id is a duplicate also after the run ended, so that a sender may always try again.
    if (this.#seen.get(run.no, storable(message.id, "the message's id")) !== undefined)
      return { is: "duplicate" };
    if (run.ended !== null) return { is: "ended", status: run.ended };
    const name = storable(message.name, "the signal's name");
    const payload = storable(message.payload, "the payload");
    this.#insert.run(run.no, run.inbox + 1, message.type, message.id, name, payload, scope.now);
    const deliver = message.type === "cancel" ? this.#cancel : this.#signal;
    deliver.run(scope.now, scope.now, run.no);
    scope.changed.push(runId);
    return DONE;
  }
}
