/** What the code sends out (runs, events, signals): each with an entry of the journal, in the transaction of that entry (S11). */
import { type Ask, suffixOf } from "./asks.ts";
import type { Journal } from "./journal.ts";
import type { Values } from "./values.ts";

/** So many children at most in one transaction: a longer one would keep others waiting. */
const SENDS_MAX = 100;

export class Outgoing<H> {
  readonly #journal: Journal;
  readonly #values: Values;
  #wanted: Set<Ask<H>> | undefined;

  constructor(journal: Journal, values: Values) {
    this.#journal = journal;
    this.#values = values;
  }

  /** Something is to be sent that is not queued yet. */
  get wanting(): boolean {
    return this.#wanted !== undefined && this.#wanted.size > 0;
  }

  wish(ask: Ask<H>): void {
    (this.#wanted ??= new Set()).add(ask);
  }

  /** True when it was not sent yet, and never will be. */
  unwish(ask: Ask<H>): boolean {
    return this.#wanted?.delete(ask) === true;
  }

  /** Queues the next one, in the order in which they were asked for. Call it when nothing is undelivered but what was sent out. */
  queueOne(now: number): boolean {
    if (this.#wanted === undefined || this.#wanted.size === 0) return false;
    // Not behind those that are on their way: all of one transaction are answered before anything else is looked at.
    if (this.#journal.inFlight || this.#journal.undelivered >= SENDS_MAX) return false;
    // Nor behind one that the code goes on with: a replay would find more in the journal then than the code had seen.
    if (this.#journal.undelivered > 0 && this.#journal.lastKind !== "call") return false;
    for (const ask of this.#wanted) {
      this.#wanted.delete(ask);
      this.#queue(ask, now);
      return true;
    }
    return false;
  }

  #queue(ask: Ask<H>, now: number): void {
    const { kind, key, identity } = ask;
    const seq = this.#journal.lastSeq + 1;
    let made: ReturnType<NonNullable<Ask<H>["send"]>> | undefined;
    try {
      made = ask.send?.({ key, identity, suffix: suffixOf(ask), seq });
    } catch (error) {
      // Its input does not fit, or can't be stored: the ask is rejected with that, and nothing is sent.
      this.#journal.append({ kind: entryOf(kind), key, error: this.#values.errorToText(error, key) }, now);
      return;
    }
    if (made === undefined) return;
    const value = this.#values.toText(made.value, key, `the id of ${kind} ${key}`);
    this.#journal.append({ kind: kind === "child" ? "call" : entryOf(kind), key, value }, now);
    this.#journal.send(made.send);
  }
}

/** The kind of the entry that settles such an ask. */
function entryOf(kind: Ask<unknown>["kind"]): "child" | "start" | "emit" | "send" {
  return kind === "child" || kind === "start" || kind === "emit" ? kind : "send";
}
