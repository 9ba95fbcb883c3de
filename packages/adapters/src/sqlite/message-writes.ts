import type { Database } from "better-sqlite3";
import type { EndStatus, Message, MessageWrite, Outcome } from "@everstep/core";
import { DONE, NOT_FOUND, type Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

export interface Recipient {
  readonly no: number;
  readonly inbox: number;
  readonly ended: EndStatus | null;
}

type NewMessage = Pick<Message, "type" | "id" | "name" | "payload">;

/** Puts messages into the inboxes of runs. */
export class MessageWrites {
  readonly #recipient;
  readonly #seen;
  readonly #insert;
  readonly #wake;
  readonly #cancel;

  constructor(db: Database) {
    this.#recipient = prepare<[string], Recipient>(
      db,
      `SELECT no, inbox, ended FROM everstep_runs WHERE id = ?`,
    );
    this.#seen = prepare<[number, string, string], number>(
      db,
      `SELECT 1 FROM everstep_messages WHERE run = ? AND type = ? AND id = ? AND type <> 'child'`,
    ).pluck();
    this.#insert = prepare<[number, number, string, string, string, string, number]>(
      db,
      `INSERT INTO everstep_messages (run, no, type, id, name, payload, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    // S6: a parked run is due with the message. It leaves a stuck or paused run to its person, and a delayed start to its time; a
    // cancel waits for neither.
    this.#wake = prepare<[now: number, now: number, run: number]>(
      db,
      `UPDATE everstep_runs SET inbox = inbox + 1,
         due_at = iif(owner IS NULL AND stuck IS NULL AND paused IS NULL AND attempt > 0, min(ifnull(due_at, ?), ?), due_at)
       WHERE no = ?`,
    );
    this.#cancel = prepare<[now: number, now: number, run: number]>(
      db,
      `UPDATE everstep_runs SET inbox = inbox + 1, stuck = NULL, paused = NULL,
         due_at = iif(owner IS NULL, min(ifnull(due_at, ?), ?), due_at)
       WHERE no = ?`,
    );
  }

  apply({ runId, message }: Pick<MessageWrite, "runId" | "message">, scope: Scope): Outcome {
    const run = this.#recipient.get(storable(runId, "the run's id"));
    if (run === undefined) return NOT_FOUND;
    // S7: a seen id is a duplicate also after the run ended, so that a sender may always try again.
    if (this.hasSeen(run.no, message)) return { is: "duplicate" };
    if (run.ended !== null) return { is: "ended", status: run.ended };
    this.deliver(runId, run, message, scope);
    return DONE;
  }

  /** Into the inbox of a run that has not ended, as it was read in this transaction; for a message that is not sent twice. */
  deliver(runId: string, run: Pick<Recipient, "no" | "inbox">, message: NewMessage, scope: Scope): void {
    const name = storable(message.name, "the signal's name");
    const payload = storable(message.payload, "the payload");
    this.#insert.run(run.no, run.inbox + 1, message.type, message.id, name, payload, scope.now);
    const wake = message.type === "cancel" ? this.#cancel : this.#wake;
    wake.run(scope.now, scope.now, run.no);
    scope.changed.push(runId);
  }

  hasSeen(run: number, { type, id }: Pick<Message, "type" | "id">): boolean {
    return this.#seen.get(run, type, storable(id, "the message's id")) !== undefined;
  }
}
