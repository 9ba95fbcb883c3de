/** What a run waits for, and until when: its timers and signals, its next attempts, its next undo, its own deadline. */
import type { WaitNote } from "../store.ts";
import type { Asks } from "./asks.ts";
import type { Bodies } from "./bodies.ts";
import type { Settling } from "./settling.ts";
import type { Undos } from "./undos.ts";
import type { Unwinding } from "./unwinding.ts";

const WAITS_SHOWN = 20;

interface Parts<H> {
  readonly asks: Asks<H>;
  readonly bodies: Bodies<H>;
  readonly undos: Undos<H>;
}

export class Due<H> {
  readonly #run: Parts<H>;
  readonly #unwinding: Unwinding<H>;
  readonly #settling: Settling<H>;
  readonly #deadlineAt: number | null;

  constructor(run: Parts<H>, unwinding: Unwinding<H>, settling: Settling<H>, deadlineAt: number | null) {
    this.#run = run;
    this.#unwinding = unwinding;
    this.#settling = settling;
    this.#deadlineAt = deadlineAt;
  }

  /** The next instant at which something is due by itself. */
  nextAt(now: number): number | null {
    let nextAt = this.#unwinding.closed
      ? this.#undoAt(now)
      : Math.min(this.#settling.waits.nextDueAt(now), this.#run.bodies.nextDueAt(now));
    const deadlineAt = this.#unwinding.closed ? null : this.#deadlineAt;
    if (deadlineAt !== null && deadlineAt > now) nextAt = Math.min(nextAt, deadlineAt);
    return nextAt === Number.POSITIVE_INFINITY ? null : nextAt;
  }

  /** True when nothing could begin now, were all durable. */
  justWaits(now: number): boolean {
    if (this.#unwinding.closed) return this.#awaitsChildren() || this.#undoAt(now) < Number.POSITIVE_INFINITY;
    const isToGoOn = this.#run.bodies.someDue(now) || this.#settling.wantsToSend;
    return this.#run.asks.open.size > 0 && !isToGoOn;
  }

  notes(): readonly WaitNote[] {
    if (!this.#unwinding.closed) return this.#settling.waits.notes(WAITS_SHOWN);
    if (this.#awaitsChildren()) return this.#settling.children.notes(WAITS_SHOWN);
    return this.#undoNotes().slice(0, WAITS_SHOWN);
  }

  #awaitsChildren(): boolean {
    return !this.#unwinding.begun && this.#settling.pendingChildren > 0;
  }

  #undoAt(now: number): number {
    const until = this.#undoNotes()[0]?.until ?? null;
    return until !== null && until > now ? until : Number.POSITIVE_INFINITY;
  }

  #undoNotes(): readonly WaitNote[] {
    return this.#unwinding.waits((key) => this.#run.undos.rowOf(key));
  }
}
