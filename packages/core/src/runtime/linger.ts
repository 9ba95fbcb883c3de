import type { Message, WaitNote } from "../store.ts";

/** A shorter wait is waited for in memory: parking it would cost more. */
const LINGER_MS = 1000;
const LINGER_RETRY_MS = 5000;
/** While messages come one after the other, their run stays: being replayed for each would take as long as all of them. */
const LINGER_CHILD_MS = 250;
/** The longer its journal, the more a replay would cost. */
const LINGER_PER_ENTRY_MS = 1;
const LINGER_MAX_MS = 10_000;
/** What a replay costs, at most. A run that others need the slot of stays no longer than that. */
const REPLAY_PER_ENTRY_MS = 0.05;

/** Its worker: `crowded`, when something is due that has no slot. */
interface Place {
  readonly crowded: boolean;
  now(): number;
}

/** Whether a run that only waits stays in memory. */
export class Linger {
  readonly #place: Place;
  readonly #journal: { readonly lastSeq: number };
  readonly #wake: () => void;
  #heardAt = Number.NEGATIVE_INFINITY;
  #childAt = Number.NEGATIVE_INFINITY;
  #stays = false;
  /** Others needed its slot when its journal was so long: once it has gone on, that is over. */
  #gaveWayAt: number | undefined;

  constructor(place: Place, journal: { readonly lastSeq: number }, wake: () => void) {
    this.#place = place;
    this.#journal = journal;
    this.#wake = wake;
  }

  heard(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    this.#heardAt = this.#place.now();
    if (messages.some(({ type }) => type === "child")) this.#childAt = this.#heardAt;
    this.#stays = false;
    this.#gaveWayAt = undefined;
  }

  stays({ dueAt, waits }: { readonly dueAt: number | null; readonly waits: readonly WaitNote[] }): boolean {
    const now = this.#place.now();
    const crowded = this.#place.crowded || this.#gaveWayAt === this.#journal.lastSeq;
    const waitsFor = (kind: WaitNote["kind"]): boolean => waits.some((wait) => wait.kind === kind);
    const soonMs = waitsFor("retry") ? LINGER_RETRY_MS : LINGER_MS;
    const isSoon = dueAt !== null && dueAt - now <= (crowded ? this.#replayMs : soonMs);
    const isTalking = now < this.#untilAt(crowded) && (waitsFor("child") || waitsFor("signal"));
    this.#stays = isSoon || isTalking;
    return this.#stays;
  }

  /** Others need its slot. False when it has none to give up, or its replay would cost more than they wait. */
  giveWay(): boolean {
    const { lastSeq } = this.#journal;
    if (!this.#stays || this.#gaveWayAt === lastSeq || this.#place.now() < this.#untilAt(true)) return false;
    this.#gaveWayAt = lastSeq;
    this.#wake();
    return true;
  }

  /** When there is to be looked again. */
  nextAt(dueAt: number | null): number | null {
    if (this.#heardAt === Number.NEGATIVE_INFINITY) return dueAt;
    const untilAt = this.#untilAt(this.#place.crowded);
    if (this.#place.now() >= untilAt) return dueAt;
    return dueAt === null ? untilAt : Math.min(dueAt, untilAt);
  }

  /** Up to then the next message may come. */
  #untilAt(crowded: boolean): number {
    if (crowded) return this.#heardAt + this.#replayMs;
    const ms = Math.min(this.#journal.lastSeq * LINGER_PER_ENTRY_MS, LINGER_MAX_MS);
    return Math.max(this.#heardAt + ms, this.#childAt + LINGER_CHILD_MS);
  }

  get #replayMs(): number {
    return this.#journal.lastSeq * REPLAY_PER_ENTRY_MS;
  }
}
