/** The asks of one run that no body settles: pivots, timers, signals. */
import { SignalTimeoutError } from "../errors.ts";
import type { WaitNote } from "../store.ts";
import type { Ask, Asks } from "./asks.ts";
import type { Inbox } from "./inbox.ts";
import type { Journal } from "./journal.ts";
import type { Values } from "./values.ts";

/** A signal's payload after its wait's schema: what is journaled, and delivered now and on replay. */
export type AcceptSignal<H> = (
  ask: Ask<H>,
  payload: string,
) => { readonly value: string } | { readonly error: string };

export class Waits<H> {
  readonly #runId: string;
  readonly #asks: Asks<H>;
  readonly #inbox: Inbox;
  readonly #journal: Journal;
  readonly #values: Values;
  readonly #accept: AcceptSignal<H>;

  constructor(
    runId: string,
    asks: Asks<H>,
    inbox: Inbox,
    journal: Journal,
    values: Values,
    accept: AcceptSignal<H>,
  ) {
    this.#accept = accept;
    this.#runId = runId;
    this.#asks = asks;
    this.#inbox = inbox;
    this.#journal = journal;
    this.#values = values;
  }

  /**
   * Queues the one settlement that comes next: pivots and buffered signals in the order in which they were asked for, then what is
   * due, earliest first. A signal that came before its wait's deadline wins over the timeout, however late both are looked at.
   */
  settleOne(now: number): boolean {
    if (this.#asks.waits.size === 0) return false;
    let due: Ask<H> | undefined;
    for (const ask of this.#asks.waits) {
      if (ask.kind === "pivot") {
        this.#journal.append({ kind: "pivot", key: ask.key }, now);
        return true;
      }
      if (ask.kind === "signal" && this.#inbox.hasSignals && this.#takeSignal(ask, now)) return true;
      if (ask.dueAt !== null && ask.dueAt <= now && ask.dueAt < (due?.dueAt ?? Number.POSITIVE_INFINITY))
        due = ask;
    }
    if (due === undefined) return false;
    // A signal may have been accepted in time, and nobody here has heard of it yet.
    this.#inbox.wanted = due.kind === "signal" && this.#inbox.lookedAt < (due.dueAt ?? 0);
    if (!this.#inbox.wanted) this.#settleDue(due, now);
    return !this.#inbox.wanted;
  }

  /** When the next timer or timeout is due. */
  nextDueAt(now: number): number {
    let nextAt = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#asks.waits)
      if (dueAt !== null && dueAt > now) nextAt = Math.min(nextAt, dueAt);
    return nextAt;
  }

  /** What the run waits for, for `why`. A step that is open while nothing executes waits for its next attempt. */
  notes(max: number): WaitNote[] {
    const notes: WaitNote[] = [];
    for (const ask of this.#asks.open) {
      if (notes.length >= max) break;
      if (ask.kind === "timer" || ask.kind === "signal" || ask.kind === "child")
        notes.push({ kind: ask.kind, key: ask.key, until: ask.dueAt });
      else if (ask.kind === "step")
        notes.push({ kind: "retry", key: ask.key, until: ask.retry?.nextAt ?? 0 });
    }
    return notes;
  }

  #takeSignal(ask: Ask<H>, now: number): boolean {
    const signal = this.#inbox.takeSignal(ask.name, ask.dueAt);
    if (signal === undefined) return false;
    const outcome = this.#accept(ask, signal.payload);
    const entry = this.#journal.append({ kind: "signal", key: ask.key, ...outcome }, now);
    if (signal.no !== null) this.#journal.consume(signal.no, entry.seq);
    return true;
  }

  #settleDue(ask: Ask<H>, now: number): void {
    if (ask.kind === "timer") this.#journal.append({ kind: "timer", key: ask.key }, now);
    else {
      const error = this.#values.errorToText(new SignalTimeoutError(this.#runId, ask.name), ask.name);
      this.#journal.append({ kind: "signal", key: ask.key, error }, now);
    }
  }
}
