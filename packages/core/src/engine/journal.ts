/**
 * The journal of one run as the engine sees it: what was recorded, what is queued, how far it was delivered and is durable.
 *
 * Order: seq is given when an entry is queued; the committer keeps it; delivery order = seq order. `at` never decreases.
 */
import type { AdvanceWrite, Entry, EntryKind, NewEntry, Phase, RetryState, Then } from "../store.ts";

export interface Draft {
  readonly kind: EntryKind;
  readonly key: string;
  readonly value?: string | undefined;
  readonly error?: string | undefined;
}

export class Journal {
  readonly #entries: NewEntry[];
  /** How many entries were there when this attempt began: all of them are replayed. */
  readonly recorded: number;
  /** Entries that are not given to the committer yet. */
  #unwritten: NewEntry[] = [];
  #consume: [no: number, seq: number][] = [];
  readonly #retries = new Map<string, RetryState>();
  #settled: string[] = [];
  #tags: Record<string, string> | undefined;
  #phase: Phase | undefined;
  #delivered = 0;
  readonly #replayed: number;
  #durable: number;
  #at: number;
  #deliveredAt: number;

  constructor(entries: readonly Entry[], startedAt: number) {
    this.#entries = [...entries];
    this.recorded = entries.length;
    this.#replayed = entries.findLastIndex(({ kind }) => kind !== "resume") + 1;
    this.#durable = entries.length;
    this.#deliveredAt = startedAt;
    this.#at = Math.max(startedAt, entries.at(-1)?.at ?? 0);
  }

  get length(): number {
    return this.#entries.length;
  }

  /** The `at` of the last delivered entry: what the run's code sees as now. */
  get deliveredAt(): number {
    return this.#deliveredAt;
  }

  get undelivered(): number {
    return this.#entries.length - this.#delivered;
  }

  /** Replaying until everything that an earlier attempt recorded is delivered; a person's `resume` is nothing that code did. */
  get replaying(): boolean {
    return this.#delivered < this.#replayed;
  }

  get allDurable(): boolean {
    return this.#durable >= this.#entries.length;
  }

  durableEntries(): readonly NewEntry[] {
    return this.#entries.slice(0, this.#durable);
  }

  peek(): NewEntry | undefined {
    return this.#entries[this.#delivered];
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

  markDurable(seq: number): void {
    if (seq > this.#durable) this.#durable = seq;
  }

  append(draft: Draft, now: number): NewEntry {
    const entry = this.draftNext(draft, now);
    this.#at = entry.at;
    this.#entries.push(entry);
    this.#unwritten.push(entry);
    return entry;
  }

  /** An entry that a `transaction` commits by itself: it is durable when it is appended. */
  appendCommitted(entry: NewEntry): void {
    this.#at = Math.max(this.#at, entry.at);
    this.#entries.push(entry);
    this.#durable = this.#entries.length;
  }

  /** The next entry, not queued yet. */
  draftNext({ kind, key, value, error }: Draft, now: number): NewEntry {
    return { seq: this.#entries.length + 1, kind, key, at: Math.max(this.#at, now), value, error };
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

  tag(tags: Readonly<Record<string, string>>): void {
    this.#tags = { ...this.#tags, ...tags };
  }

  setPhase(phase: Phase): void {
    this.#phase = phase;
  }

  get hasUnwritten(): boolean {
    return (
      this.#unwritten.length > 0 ||
      this.#retries.size > 0 ||
      this.#tags !== undefined ||
      this.#phase !== undefined
    );
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
    if (this.#retries.size > 0) write.retries = [...this.#retries.values()];
    if (this.#settled.length > 0) write.settled = this.#settled;
    if (this.#tags !== undefined) write.tags = this.#tags;
    if (this.#phase !== undefined) write.phase = this.#phase;
    this.#unwritten = [];
    this.#consume = [];
    this.#retries.clear();
    this.#settled = [];
    this.#tags = undefined;
    this.#phase = undefined;
    return write;
  }
}

export interface WriteExtras {
  readonly progressed?: true;
  readonly alone?: boolean;
  readonly then?: Then;
}
