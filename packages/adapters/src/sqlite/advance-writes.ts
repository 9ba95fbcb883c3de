import type { Database } from "better-sqlite3";
import type { AdvanceWrite, Outcome, RetryState, Then } from "@everstep/core";
import { type Claimant, JournalWrites } from "./journal-writes.ts";
import { DONE, FENCED, type Scope } from "./scope.ts";
import { prepare, storable, UnstorableError } from "./statement.ts";

/** What the owner of a run writes: the hot path. */
export class AdvanceWrites {
  readonly #journal: JournalWrites;
  readonly #touch;
  readonly #consume;
  readonly #retry;
  readonly #settle;
  readonly #tag;
  readonly #letGo: LetGo;

  constructor(db: Database) {
    this.#journal = new JournalWrites(db);
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
  owns(claimant: Claimant, scope: Scope): boolean {
    return scope.worker !== null && this.#journal.owned(claimant, scope.worker) !== undefined;
  }

  apply(write: AdvanceWrite, scope: Scope): Outcome {
    if (scope.worker === null) return FENCED;
    const no = this.#journal.append(write, scope.worker, write.entries, scope);
    if (no === undefined) return FENCED;
    this.#mark(no, write);
    return write.then === undefined ? DONE : this.#letGo.apply(no, write.runId, write.then, scope);
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
  readonly #keepResult;
  readonly #dropRetries;

  constructor(db: Database) {
    // S6: only with the inbox as its owner last saw it.
    this.#park = prepare<[number | null, string | null, number, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, interrupted = 0, due_at = ?, waits = ? WHERE no = ? AND inbox <= ?`,
    );
    this.#release = prepare<[number, number, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, interrupted = ?, due_at = ? WHERE no = ?`,
    );
    this.#stick = prepare<[string, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, stuck = ? WHERE no = ?`,
    );
    this.#end = prepare<[string, number, number]>(
      db,
      `UPDATE everstep_runs SET phase = 'done', owner = NULL, alone = 0, interrupted = 0, waits = NULL,
         ended = ?, ended_at = ? WHERE no = ?`,
    );
    this.#keepResult = prepare<[number, string | null, string | null]>(
      db,
      `INSERT INTO everstep_results (run, result, error) VALUES (?, ?, ?)`,
    );
    this.#dropRetries = prepare<[number]>(db, `DELETE FROM everstep_retries WHERE run = ?`);
  }

  apply(no: number, runId: string, then: Then, scope: Scope): Outcome {
    switch (then.do) {
      case "park":
        return this.#parkRun(no, runId, then, scope);
      case "release":
        this.#release.run(then.interrupted === true ? 1 : 0, scope.now, no);
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
    this.#end.run(then.status, scope.now, no);
    if (result !== null || error !== null) this.#keepResult.run(no, result, error);
    this.#dropRetries.run(no);
  }
}
