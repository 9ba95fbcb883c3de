import type { Database } from "better-sqlite3";
import type { AdvanceWrite, NewEntry, Outcome, RetryState, Then } from "@everstep/core";
import { DONE, FENCED, type Scope } from "./scope.ts";
import { prepare, storable, UnstorableError } from "./statement.ts";

/** A run that the scope's worker owns, and the seq of its last entry. */
interface OwnedRun {
  readonly no: number;
  readonly last: number;
}

/** What the owner of a run writes: the hot path. A step's entry takes two statements, its run's row is not touched. */
export class AdvanceWrites {
  readonly #owned;
  readonly #append;
  readonly #touch;
  readonly #consume;
  readonly #retry;
  readonly #settle;
  readonly #tag;
  readonly #letGo: LetGo;

  constructor(db: Database) {
    // S3, S4: the fence. An owner is never set on a run that has ended (S8).
    this.#owned = prepare<[string, number, number], OwnedRun>(
      db,
      `SELECT no, ifnull((SELECT max(seq) FROM everstep_journal j WHERE j.run = r.no), 0) AS last
       FROM everstep_runs r WHERE id = ? AND owner = ? AND attempt = ?`,
    );
    this.#append = prepare<[number, number, number, string, string, number, string | null, string | null]>(
      db,
      `INSERT INTO everstep_journal (run, seq, attempt, kind, key, at, value, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#touch = prepare<[string | null, number, number, number | null, number]>(
      db,
      `UPDATE everstep_runs SET phase = ifnull(?, phase),
         strikes = iif(?, 0, strikes), strikes_alone = iif(?, 0, strikes_alone), alone = ifnull(?, alone)
       WHERE no = ?`,
    );
    // S7: a message is consumed once.
    this.#consume = prepare<[number, number, number]>(
      db,
      `UPDATE everstep_messages SET consumed_by = ? WHERE run = ? AND no = ? AND consumed_by IS NULL`,
    );
    this.#retry = prepare<[number, string, number, number, number | null, string | null, number]>(
      db,
      `INSERT INTO everstep_retries (run, key, failures, first_at, next_at, error, in_doubt) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (run, key) DO UPDATE SET failures = excluded.failures, first_at = excluded.first_at,
         next_at = excluded.next_at, error = excluded.error, in_doubt = excluded.in_doubt`,
    );
    this.#settle = prepare<[number, string]>(db, `DELETE FROM everstep_retries WHERE run = ? AND key = ?`);
    this.#tag = prepare<[number, string, string]>(
      db,
      `INSERT INTO everstep_tags (run, name, value) VALUES (?, ?, ?)
       ON CONFLICT (run, name) DO UPDATE SET value = excluded.value`,
    );
    this.#letGo = new LetGo(db);
  }

  /** Whether the scope's worker owns the run under this attempt. */
  owns(runId: string, attempt: number, scope: Scope): boolean {
    return scope.worker !== null && this.#owned.get(runId, scope.worker, attempt) !== undefined;
  }

  apply(write: AdvanceWrite, scope: Scope): Outcome {
    if (scope.worker === null) return FENCED;
    const run = this.#owned.get(write.runId, scope.worker, write.attempt);
    if (run === undefined) return FENCED;
    let { last } = run;
    for (const entry of write.entries) last = this.#journal(run.no, last, write.attempt, entry);
    this.#mark(run.no, write);
    return write.then === undefined ? DONE : this.#letGo.apply(run.no, write.runId, write.then, scope);
  }

  #journal(no: number, last: number, attempt: number, entry: NewEntry): number {
    if (entry.seq !== last + 1)
      throw new UnstorableError(`entry ${entry.seq} can't follow entry ${last} of the journal`);
    const key = storable(entry.key, "the entry's key");
    const value = entry.value === undefined ? null : storable(entry.value, "the entry's value");
    const error = entry.error === undefined ? null : storable(entry.error, "the entry's error");
    this.#append.run(no, entry.seq, attempt, entry.kind, key, entry.at, value, error);
    return entry.seq;
  }

  /** All that an advance may change beside the journal, each only when asked for. */
  #mark(no: number, write: AdvanceWrite): void {
    if (write.consume !== undefined) this.#markConsumed(no, write.consume);
    if (write.retries !== undefined) for (const retry of write.retries) this.#keepRetry(no, retry);
    if (write.settled !== undefined) for (const key of write.settled) this.#settle.run(no, key);
    if (write.tags !== undefined) this.#mergeTags(no, write.tags);
    if (write.phase !== undefined || write.progressed !== undefined || write.alone !== undefined) {
      const alone = write.alone === undefined ? null : Number(write.alone);
      const progressed = Number(write.progressed ?? false);
      this.#touch.run(write.phase ?? null, progressed, progressed, alone, no);
    }
  }

  #markConsumed(no: number, consume: NonNullable<AdvanceWrite["consume"]>): void {
    for (const [message, seq] of consume) {
      const { changes } = this.#consume.run(seq, no, message);
      if (changes === 0) throw new UnstorableError(`message ${message} is not there to be consumed`);
    }
  }

  #keepRetry(no: number, retry: RetryState): void {
    this.#retry.run(
      no,
      storable(retry.key, "the retry's key"),
      retry.failures,
      retry.firstAt,
      retry.nextAt,
      retry.error === undefined ? null : storable(retry.error, "the retry's error"),
      Number(retry.inDoubt),
    );
  }

  #mergeTags(no: number, tags: Readonly<Record<string, string>>): void {
    for (const name in tags) this.#tag.run(no, storable(name, "a tag"), storable(tags[name] ?? "", "a tag"));
  }
}

/** How an owner lets go of its run. */
class LetGo {
  readonly #park;
  readonly #release;
  readonly #stick;
  readonly #end;
  readonly #dropRetries;

  constructor(db: Database) {
    // S6: only with the inbox as its owner last saw it.
    this.#park = prepare<[number | null, string | null, number, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, interrupted = 0, due_at = ?, waits = ? WHERE no = ? AND inbox <= ?`,
    );
    this.#release = prepare<[number, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, interrupted = 0, due_at = ? WHERE no = ?`,
    );
    this.#stick = prepare<[string, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, stuck = ? WHERE no = ?`,
    );
    this.#end = prepare<[string, string | null, string | null, number, number]>(
      db,
      `UPDATE everstep_runs SET phase = 'done', owner = NULL, alone = 0, interrupted = 0, waits = NULL,
         ended = ?, result = ?, error = ?, ended_at = ? WHERE no = ?`,
    );
    this.#dropRetries = prepare<[number]>(db, `DELETE FROM everstep_retries WHERE run = ?`);
  }

  apply(no: number, runId: string, then: Then, scope: Scope): Outcome {
    switch (then.do) {
      case "park":
        return this.#parkRun(no, runId, then, scope);
      case "release":
        this.#release.run(scope.now, no);
        break;
      case "stick":
        this.#stick.run(JSON.stringify(then.stuck), no);
        break;
      case "end":
        this.#endRun(no, then, scope);
        break;
    }
    scope.changed.push(runId);
    return DONE;
  }

  #parkRun(no: number, runId: string, then: Extract<Then, { do: "park" }>, scope: Scope): Outcome {
    const dueAt = then.dueAt === null ? null : Math.ceil(then.dueAt);
    const waits = then.waits.length === 0 ? null : JSON.stringify(then.waits);
    const { changes } = this.#park.run(dueAt, waits, no, then.inbox);
    if (changes === 0) return { is: "inbox-changed" };
    if (dueAt !== null && dueAt <= scope.now) scope.changed.push(runId);
    return DONE;
  }

  #endRun(no: number, then: Extract<Then, { do: "end" }>, scope: Scope): void {
    const result = then.result === undefined ? null : storable(then.result, "the result");
    const error = then.error === undefined ? null : storable(then.error, "the error");
    this.#end.run(then.status, result, error, scope.now, no);
    this.#dropRetries.run(no);
  }
}
