import type { Database } from "better-sqlite3";
import type { NewEntry } from "@everstep/core";
import type { Scope } from "./scope.ts";
import { prepare, storable, UnstorableError } from "./statement.ts";

/** The worker, the run and its attempt that a write is fenced by. */
export interface Claimant {
  readonly runId: string;
  readonly attempt: number;
}

/** Fences a run's owner and appends to its journal: two statements for a write of one entry. */
export class JournalWrites {
  readonly #owned;
  readonly #extend;
  readonly #last;
  readonly #append;

  constructor(db: Database) {
    // S3, S4: the fence. An owner is never set on a run that has ended (S8).
    this.#owned = prepare<[string, number, number], { readonly no: number; readonly entries: number }>(
      db,
      `SELECT no, entries FROM everstep_runs WHERE id = ? AND owner = ? AND attempt = ?`,
    );
    // The same fence, and S4: what is appended follows the last entry without a gap.
    this.#extend = prepare<
      [entries: number, last: number, runId: string, owner: number, attempt: number, entriesBefore: number],
      { readonly no: number; readonly before: number | null }
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
  }

  /** The run's number if the worker owns it under this attempt. */
  owned({ runId, attempt }: Claimant, worker: number): number | undefined {
    return this.#owned.get(runId, worker, attempt)?.no;
  }

  /** The run's number; undefined, with nothing appended, if the worker does not own it under this attempt. */
  append(claimant: Claimant, worker: number, entries: readonly NewEntry[], scope: Scope): number | undefined {
    const first = entries[0];
    if (first === undefined) return this.owned(claimant, worker);
    const { runId, attempt } = claimant;
    const before = first.seq - 1;
    let next = this.#nextNo(scope);
    const run = this.#extend.get(
      before + entries.length,
      next + entries.length - 1,
      runId,
      worker,
      attempt,
      before,
    );
    if (run === undefined) return this.#refuse(claimant, worker, first);
    let previous = run.before;
    for (const [index, entry] of entries.entries()) {
      if (entry.seq !== first.seq + index) throw outOfPlace(entry.seq, first.seq + index - 1);
      this.#write(next, previous, run.no, attempt, entry);
      previous = next++;
    }
    scope.nextEntryNo = next;
    return run.no;
  }

  /** Looked up once per transaction, which nobody else's insertions can interrupt. */
  #nextNo(scope: Scope): number {
    return scope.nextEntryNo ?? (this.#last.get() ?? 0) + 1;
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
