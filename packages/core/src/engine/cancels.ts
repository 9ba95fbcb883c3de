/** Orders to cancel the run: the first one closes it, later ones are recorded, and one that undoes nothing needs no code at all. */
import type { Message } from "../store.ts";
import type { Inbox } from "./inbox.ts";
import type { Journal } from "./journal.ts";
import type { Values } from "./values.ts";

export class Cancels {
  readonly #inbox: Inbox;
  readonly #journal: Journal;
  readonly #values: Values;
  readonly #recorded: boolean;

  constructor(inbox: Inbox, journal: Journal, values: Values, recorded: boolean) {
    this.#inbox = inbox;
    this.#journal = journal;
    this.#values = values;
    this.#recorded = recorded;
  }

  /** One is waiting in the inbox or, recorded by an earlier attempt, in the journal. */
  get ordered(): boolean {
    return this.#inbox.hasCancel || this.#recorded;
  }

  /** The oldest of the inbox undoes nothing. Undefined when there is none. */
  get firstUndoesNothing(): boolean | undefined {
    const payload = this.#inbox.firstCancel;
    return payload === undefined ? undefined : this.#undoesNothing(payload);
  }

  /** Queues the entry of the oldest, and answers that order. */
  takeOne(closed: boolean, now: number): Message | undefined {
    const cancel = this.#inbox.takeCancel();
    if (cancel !== undefined) this.#record(cancel, closed, now);
    return cancel;
  }

  /** Queues the entry of the oldest that undoes nothing, whatever else is in the journal or was ordered before. */
  takeWithoutCode(now: number): boolean {
    const cancel = this.#inbox.takeCancelIf((payload) => {
      try {
        return this.#undoesNothing(payload);
      } catch {
        return false; // undecodable as well
      }
    });
    if (cancel === undefined) return false;
    this.#journal.skip();
    this.#record(cancel, false, now);
    return true;
  }

  #record(cancel: Message, closed: boolean, now: number): void {
    const entry = this.#journal.append({ kind: "cancel", key: "", value: cancel.payload }, now);
    this.#journal.consume(cancel.no, entry.seq);
    if (!closed) this.#journal.setPhase("closing");
  }

  #undoesNothing(payload: string): boolean {
    const order = this.#values.fromText(payload, "", "the order to cancel it") as {
      readonly compensate?: boolean;
    };
    return order.compensate === false;
  }
}
