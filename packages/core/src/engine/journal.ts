/**
 * The journal of one run as the engine sees it: what was recorded, what is queued, how far it was delivered and is durable.
 *
 * Order: seq is given when an entry is queued; the committer keeps it; delivery order = seq order. `at` never decreases.
 */
import type {
  AdvanceWrite,
  EntryKind,
  NewEntry,
  OutboxEvent,
  Phase,
  RetryState,
  Send,
  Then,
} from "../store.ts";

export interface Draft {
  readonly kind: EntryKind;
  readonly key: string;
  readonly value?: string | undefined;
  readonly error?: string | undefined;
}

/** Sent out with their commit, which may refuse it: delivered only when that was answered. */
const ANSWERED: ReadonlySet<EntryKind> = new Set(["call", "start", "emit", "send"]);
/** What persons did: nothing that the run's code asks for. */
export const OPERATOR: ReadonlySet<EntryKind> = new Set([
  "resume",
  "pause",
  "resolve",
  "reset",
  "move",
  "fork",
]);

/** Outcomes other than that of a step, which its body's runner knows of. */
const FURTHER: ReadonlySet<EntryKind> = new Set([
  "timer",
  "signal",
  "call",
  "child",
  "pivot",
  "start",
  "emit",
  "send",
]);

export class Journal {
  /** Those that count, in order. */
  readonly #entries: NewEntry[];
  /** Entries that are not given to the committer yet. */
  #unwritten: NewEntry[] = [];
  #consume: [no: number, seq: number][] = [];
  #sends: Send[] = [];
  readonly #retries = new Map<string, RetryState>();
  #settled: string[] = [];
  /** Those of the run as they are stored, and those that its code has set. */
  #storedTags: Readonly<Record<string, string>>;
  /** Those that are not as the store has them. */
  #newTags: Readonly<Record<string, string>> | undefined;
  #phase: Phase | undefined;
  #delivered = 0;
  readonly #replayed: number;
  #lastSeq: number;
  #durableSeq: number;
  #at: number;
  #deliveredAt: number;

  /** `last`: the last entry of all, also if it counts no more; `tags`: as they are stored. */
  constructor(
    entries: readonly NewEntry[],
    last: NewEntry | undefined,
    startedAt: number,
    tags: Readonly<Record<string, string>> = {},
  ) {
    this.#storedTags = tags;
    this.#entries = [...entries];
    this.#replayed = entries.findLastIndex(({ kind }) => !OPERATOR.has(kind)) + 1;
    this.#lastSeq = last?.seq ?? 0;
    this.#durableSeq = this.#lastSeq;
    this.#deliveredAt = startedAt;
    this.#at = Math.max(startedAt, last?.at ?? 0);
  }

  get lastKind(): EntryKind | undefined {
    return this.#entries.at(-1)?.kind;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** The `at` of the last delivered entry: what the run's code sees as now. */
  get deliveredAt(): number {
    return this.#deliveredAt;
  }

  get undelivered(): number {
    return this.#entries.length - this.#delivered;
  }

  /** Something undelivered is on its way to the store. */
  get inFlight(): boolean {
    return this.undelivered > this.#unwritten.length;
  }

  /** Replaying until everything that an earlier attempt recorded is delivered; what a person did is nothing that code did. */
  get replaying(): boolean {
    return this.#delivered < this.#replayed;
  }

  get allDurable(): boolean {
    return this.#durableSeq >= this.#lastSeq;
  }

  /** The first entry of this kind. */
  find(kind: EntryKind): NewEntry | undefined {
    return this.#entries.find((entry) => entry.kind === kind);
  }

  durableEntries(): readonly NewEntry[] {
    return this.#entries.filter(({ seq }) => seq <= this.#durableSeq);
  }

  peek(): NewEntry | undefined {
    const next = this.#entries[this.#delivered];
    return next === undefined || this.#isUnanswered(next) ? undefined : next;
  }

  #isUnanswered({ kind, seq }: NewEntry): boolean {
    return seq > this.#durableSeq && ANSWERED.has(kind);
  }

  markDelivered(): void {
    const entry = this.#entries[this.#delivered];
    if (entry === undefined) return;
    this.#delivered += 1;
    this.#deliveredAt = entry.at;
  }

  /** Nothing of what is there will be delivered: the run ends without its code. */
  skip(): void {
    this.#delivered = this.#entries.length;
  }

  /** What the store refused to send out is stored as the error of its entry. */
  refused(refusals: readonly { readonly seq: number; readonly reason: string }[]): void {
    for (const { seq, reason } of refusals) {
      const index = this.#entries.findLastIndex((entry) => entry.seq === seq);
      const entry = this.#entries[index];
      if (entry !== undefined) this.#entries[index] = { ...entry, error: reason };
    }
  }

  markDurable(seq: number): void {
    if (seq > this.#durableSeq) this.#durableSeq = seq;
  }

  append(draft: Draft, now: number): NewEntry {
    const entry = this.draftNext(draft, now);
    this.#push(entry);
    this.#unwritten.push(entry);
    return entry;
  }

  /** An entry that a `transaction` commits by itself: it is durable when it is appended. */
  appendCommitted(entry: NewEntry): void {
    this.#push(entry);
    this.#durableSeq = entry.seq;
  }

  #push(entry: NewEntry): void {
    this.#at = Math.max(this.#at, entry.at);
    this.#lastSeq = entry.seq;
    this.#entries.push(entry);
  }

  /** The next entry, not queued yet. */
  draftNext({ kind, key, value, error }: Draft, now: number): NewEntry {
    return { seq: this.#lastSeq + 1, kind, key, at: Math.max(this.#at, now), value, error };
  }

  /** To be sent out with what is queued. */
  send(send: Send): void {
    this.#sends.push(send);
  }

  consume(messageNo: number, seq: number): void {
    this.#consume.push([messageNo, seq]);
  }

  keepRetry(state: RetryState): void {
    this.#retries.set(state.key, state);
  }

  dropRetry(key: string): void {
    this.#retries.delete(key);
    this.#settled.push(key);
  }

  /** Also while replaying: whoever set them before may have died before they were stored. */
  tag(tags: Readonly<Record<string, string>>): void {
    const changed = Object.entries({ ...this.#newTags, ...tags }).filter(
      ([name, value]) => this.#storedTags[name] !== value,
    );
    this.#newTags = changed.length === 0 ? undefined : Object.fromEntries(changed);
  }

  setPhase(phase: Phase): void {
    this.#phase = phase;
  }

  get hasUnwritten(): boolean {
    return (
      this.#unwritten.length > 0 ||
      this.#sends.length > 0 ||
      this.#retries.size > 0 ||
      this.#newTags !== undefined ||
      this.#phase !== undefined
    );
  }

  /** What is queued brings the run's code further than it has ever been. */
  get goesFurther(): boolean {
    return this.#unwritten.some(({ kind }) => FURTHER.has(kind));
  }

  /** Everything queued since the last call, as one write. */
  takeWrite(run: { readonly runId: string; readonly attempt: number }, more: WriteExtras = {}): AdvanceWrite {
    const { runId, attempt } = run;
    const write: { -readonly [K in keyof AdvanceWrite]: AdvanceWrite[K] } = {
      kind: "advance",
      runId,
      attempt,
      entries: this.#unwritten,
      ...more,
    };
    if (this.#consume.length > 0) write.consume = this.#consume;
    if (this.#sends.length > 0) write.sends = this.#sends;
    if (this.#retries.size > 0) write.retries = [...this.#retries.values()];
    if (this.#settled.length > 0) write.settled = this.#settled;
    if (this.#newTags !== undefined) write.tags = this.#newTags;
    if (this.#phase !== undefined) write.phase = this.#phase;
    this.#unwritten = [];
    this.#consume = [];
    this.#sends = [];
    this.#retries.clear();
    this.#settled = [];
    if (this.#newTags !== undefined) this.#storedTags = { ...this.#storedTags, ...this.#newTags };
    this.#newTags = undefined;
    this.#phase = undefined;
    return write;
  }
}

export interface WriteExtras {
  readonly progressed?: true;
  readonly alone?: boolean;
  readonly outbox?: readonly OutboxEvent[];
  readonly then?: Then;
}
