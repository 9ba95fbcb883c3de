import type { Database } from "better-sqlite3";
import type { Entry, EntryKind, NewEntry } from "@everstep/core";
import type { Scope } from "./scope.ts";
import { prepare, storable, UnstorableError } from "./statement.ts";

/** The worker, the run and its attempt that a write is fenced by. */
export interface Claimant {
  readonly runId: string;
  readonly attempt: number;
}

/** A run whose owner's write was let through. */
export interface OwnedRun {
  readonly no: number;
  /** The entry before those that are to be appended. */
  readonly before: number | null;
}

/** A run that nobody owns, and what its journal is like. */
export interface UnownedRun {
  readonly no: number;
  readonly attempt: number;
  readonly entries: number;
  readonly last_entry: number | null;
}

/** Fences a run's owner and appends to its journal: two statements for a write of one entry. */
export class JournalWrites {
  readonly #owned;
  readonly #extend;
  readonly #last;
  readonly #append;
  readonly #lengthen;
  readonly #operation;

  constructor(db: Database) {
    // S3, S4: the fence. An owner is never set on a run that has ended (S8).
    this.#owned = prepare<[string, number, number], OwnedRun & { readonly entries: number }>(
      db,
      `SELECT no, last_entry AS before, entries FROM everstep_runs WHERE id = ? AND owner = ? AND attempt = ?`,
    );
    // The same fence, and S4: what is appended follows the last entry without a gap.
    this.#extend = prepare<
      [entries: number, last: number, runId: string, owner: number, attempt: number, entriesBefore: number],
      OwnedRun
    >(
      db,
      `UPDATE everstep_runs SET entries = ?, entry_before = last_entry, last_entry = ?
       WHERE id = ? AND owner = ? AND attempt = ? AND entries = ?
       RETURNING no, entry_before AS before`,
    );
    this.#last = prepare<[], number | null>(db, `SELECT max(no) FROM everstep_journal`).pluck();
    this.#append = prepare<AppendParameters>(
      db,
      `INSERT INTO everstep_journal (no, before, run, seq, attempt, kind, key, at, value, error)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#lengthen = prepare<[entries: number, last: number, run: number]>(
      db,
      `UPDATE everstep_runs SET entries = ?, entry_before = last_entry, last_entry = ? WHERE no = ?`,
    );
    // From the last entry to the first: asked for only by persons.
    this.#operation = prepare<[run: number, id: string, kind: string, otherKind: string], number>(
      db,
      `WITH RECURSIVE chain (no) AS (
         SELECT last_entry FROM everstep_runs WHERE no = ?
         UNION ALL
         SELECT j.before FROM chain JOIN everstep_journal j ON j.no = chain.no WHERE j.before IS NOT NULL
       )
       SELECT 1 FROM chain CROSS JOIN everstep_journal j ON j.no = chain.no
       WHERE j.key = ? AND j.kind IN (?, ?) LIMIT 1`,
    ).pluck();
  }

  /** The run if the worker owns it under this attempt. */
  owned({ runId, attempt }: Claimant, worker: number): OwnedRun | undefined {
    return this.#owned.get(runId, worker, attempt);
  }

  /** The run, with the entries written; undefined, with nothing done, if the worker does not own it under this attempt. */
  append(
    claimant: Claimant,
    worker: number,
    entries: readonly NewEntry[],
    scope: Scope,
  ): OwnedRun | undefined {
    const run = this.extend(claimant, worker, entries, scope);
    if (run !== undefined) this.write(run, claimant.attempt, entries, scope);
    return run;
  }

  /** The first half of `append`: the fence, and the run's count of its entries. `write` must follow, with as many. */
  extend(
    claimant: Claimant,
    worker: number,
    entries: readonly NewEntry[],
    scope: Scope,
  ): OwnedRun | undefined {
    const first = entries[0];
    if (first === undefined) return this.owned(claimant, worker);
    const { runId, attempt } = claimant;
    const before = first.seq - 1;
    const last = this.#nextNo(scope) + entries.length - 1;
    const run = this.#extend.get(before + entries.length, last, runId, worker, attempt, before);
    return run ?? this.#refuse(claimant, worker, first);
  }

  write(run: OwnedRun, attempt: number, entries: readonly NewEntry[], scope: Scope): void {
    const first = entries[0];
    if (first === undefined) return;
    let next = this.#nextNo(scope);
    let previous = run.before;
    for (const [index, entry] of entries.entries()) {
      if (entry.seq !== first.seq + index) throw outOfPlace(entry.seq, first.seq + index - 1);
      this.#write(next, previous, run.no, attempt, entry);
      previous = next++;
    }
    scope.nextEntryNo = next;
  }

  /** Without an owner's fence: the caller has looked, in this transaction, that nobody owns the run and how long its journal is. */
  appendUnowned(run: UnownedRun, entries: readonly NewEntry[], scope: Scope): void {
    const first = entries[0];
    if (first === undefined) return;
    if (first.seq !== run.entries + 1) throw outOfPlace(first.seq, run.entries);
    const last = this.#nextNo(scope) + entries.length - 1;
    this.#lengthen.run(run.entries + entries.length, last, run.no);
    this.write({ no: run.no, before: run.last_entry }, run.attempt, entries, scope);
  }

  /** The whole journal of a run that has none yet, as other attempts elsewhere wrote it. */
  appendForeign(run: number, journal: readonly Entry[], scope: Scope): void {
    if (journal.length === 0) return;
    let next = this.#nextNo(scope);
    let before: number | null = null;
    this.#lengthen.run(journal.length, next + journal.length - 1, run);
    for (const [index, entry] of journal.entries()) {
      if (entry.seq !== index + 1) throw outOfPlace(entry.seq, index);
      this.#write(next, before, run, entry.attempt, entry);
      before = next++;
    }
    scope.nextEntryNo = next;
  }

  /** Whether an entry of one of these kinds, of a person's, has this operation's id. */
  hasOperation(run: number, id: string, kind: EntryKind, otherKind: EntryKind = kind): boolean {
    return this.#operation.get(run, id, kind, otherKind) !== undefined;
  }

  /** Looked up once per transaction, which nobody else's insertions can interrupt. */
  #nextNo(scope: Scope): number {
    return (scope.nextEntryNo ??= (this.#last.get() ?? 0) + 1);
  }

  #write(no: number, before: number | null, run: number, attempt: number, entry: NewEntry): void {
    const key = storable(entry.key, "the entry's key");
    const value = entry.value === undefined ? null : storable(entry.value, "the entry's value");
    const error = entry.error === undefined ? null : storable(entry.error, "the entry's error");
    this.#append.run(no, before, run, entry.seq, attempt, entry.kind, key, entry.at, value, error);
  }

  #refuse({ runId, attempt }: Claimant, worker: number, first: NewEntry): undefined {
    const run = this.#owned.get(runId, worker, attempt);
    if (run !== undefined) throw outOfPlace(first.seq, run.entries);
    return undefined;
  }
}

type AppendParameters = [
  no: number,
  before: number | null,
  run: number,
  seq: number,
  attempt: number,
  kind: string,
  key: string,
  at: number,
  value: string | null,
  error: string | null,
];

function outOfPlace(seq: number, last: number): UnstorableError {
  return new UnstorableError(`entry ${seq} can't follow entry ${last} of the journal`);
}
