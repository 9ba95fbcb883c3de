import type { Database } from "better-sqlite3";
import type { AdvanceWrite, NewEntry, Outcome, Then } from "@everstep/core";
import type { Claimant, JournalWrites } from "./journal-writes.ts";
import type { Outbox } from "./outbox.ts";
import type { RetryWrites } from "./retry-writes.ts";
import { DONE, FENCED, type Scope } from "./scope.ts";
import type { Refusal, SendWrites } from "./send-writes.ts";
import { prepare, storable, UnstorableError } from "./statement.ts";
import type { Waiters } from "./waiters.ts";

/** What an advance may do beside its own rows. */
interface Others {
  readonly journal: JournalWrites;
  readonly retries: RetryWrites;
  readonly sends: SendWrites;
  readonly waiters: Waiters;
  readonly outbox: Outbox;
}

/** What the owner of a run writes: the hot path. */
export class AdvanceWrites {
  readonly #journal: JournalWrites;
  readonly #retries: RetryWrites;
  readonly #sends: SendWrites;
  readonly #outbox: Outbox;
  readonly #touch;
  readonly #consume;
  readonly #tag;
  readonly #letGo: LetGo;

  constructor(db: Database, { journal, retries, sends, waiters, outbox }: Others) {
    this.#journal = journal;
    this.#retries = retries;
    this.#sends = sends;
    this.#outbox = outbox;
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
    this.#tag = prepare<[number, string, string]>(
      db,
      `INSERT INTO everstep_tags (run, name, value) VALUES (?, ?, ?)
       ON CONFLICT (run, name) DO UPDATE SET value = excluded.value`,
    );
    this.#letGo = new LetGo(db, retries, waiters);
  }

  /** Whether the scope's worker owns the run under this attempt. */
  owns(claimant: Claimant, scope: Scope): boolean {
    return scope.worker !== null && this.#journal.owned(claimant, scope.worker) !== undefined;
  }

  apply(write: AdvanceWrite, scope: Scope): Outcome {
    if (scope.worker === null) return FENCED;
    if (write.sends !== undefined) return this.#sendAndApply(write, scope.worker, scope);
    const run = this.#journal.append(write, scope.worker, write.entries, scope);
    if (run === undefined) return FENCED;
    this.#mark(run.no, write);
    return write.then === undefined ? DONE : this.#letGo.apply(run.no, write.runId, write.then, scope);
  }

  /** The fence, what the run sends out, and only then its entries: one whose send was refused is an error. */
  #sendAndApply(write: AdvanceWrite, worker: number, scope: Scope): Outcome {
    const run = this.#journal.extend(write, worker, write.entries, scope);
    if (run === undefined) return FENCED;
    const refused = this.#sends.apply(run.no, write, scope);
    this.#journal.write(run, write.attempt, withRefusals(write.entries, refused), scope);
    this.#mark(run.no, write);
    const outcome =
      write.then === undefined ? DONE : this.#letGo.apply(run.no, write.runId, write.then, scope);
    return refused.length > 0 && outcome.is === "done" ? { is: "done", refused } : outcome;
  }

  /** All that an advance may change beside the journal, each only when asked for. */
  #mark(no: number, write: AdvanceWrite): void {
    if (write.consume !== undefined) this.#markConsumed(no, write.consume);
    if (write.retries !== undefined) this.#retries.keep(no, write.retries);
    if (write.settled !== undefined) this.#retries.settle(no, write.settled);
    if (write.outbox !== undefined) this.#outbox.add(write.outbox);
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

  #mergeTags(no: number, tags: Readonly<Record<string, string>>): void {
    for (const name in tags) this.#tag.run(no, storable(name, "a tag"), storable(tags[name] ?? "", "a tag"));
  }
}

function withRefusals(entries: readonly NewEntry[], refused: readonly Refusal[]): readonly NewEntry[] {
  if (refused.length === 0) return entries;
  const reasons = new Map(refused.map(({ seq, reason }) => [seq, reason]));
  return entries.map((entry) => {
    const error = reasons.get(entry.seq);
    return error === undefined ? entry : { ...entry, error };
  });
}

/** How an owner lets go of its run. A paused one is not due. */
class LetGo {
  readonly #retries: RetryWrites;
  readonly #waiters: Waiters;
  readonly #park;
  readonly #release;
  readonly #stick;
  readonly #end;
  readonly #endAnyhow;
  readonly #keepResult;

  constructor(db: Database, retries: RetryWrites, waiters: Waiters) {
    this.#retries = retries;
    this.#waiters = waiters;
    // S6: only with the inbox as its owner last saw it.
    this.#park = prepare<[number | null, string | null, number, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, interrupted = 0, due_at = iif(paused IS NULL, ?, NULL), waits = ?
       WHERE no = ? AND inbox <= ?`,
    );
    this.#release = prepare<[number, number, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, interrupted = ?, due_at = iif(paused IS NULL, ?, NULL) WHERE no = ?`,
    );
    this.#stick = prepare<[string, number]>(
      db,
      `UPDATE everstep_runs SET owner = NULL, alone = 0, stuck = ? WHERE no = ?`,
    );
    const end = `UPDATE everstep_runs SET phase = 'done', owner = NULL, alone = 0, interrupted = 0, waits = NULL,
         ended = ?, ended_at = ?`;
    // Nearly always: nobody waits, and nobody paused it.
    this.#end = prepare<[string, number, number]>(
      db,
      `${end} WHERE no = ? AND awaited = 0 AND paused IS NULL`,
    );
    this.#endAnyhow = prepare<[string, number, awaited: number, number]>(
      db,
      `${end}, awaited = ?, paused = NULL WHERE no = ?`,
    );
    this.#keepResult = prepare<[number, string | null, string | null]>(
      db,
      `INSERT INTO everstep_results (run, result, error) VALUES (?, ?, ?)`,
    );
  }

  apply(no: number, runId: string, then: Then, scope: Scope): Outcome {
    switch (then.do) {
      case "park":
        return this.#parkRun(no, runId, then, scope);
      case "release":
        this.#release.run(then.interrupted === true ? 1 : 0, scope.now, no);
        scope.changed.push(runId);
        break;
      case "stick":
        this.#stick.run(JSON.stringify(then.stuck), no);
        scope.over.push(runId);
        break;
      case "end":
        this.#endRun(no, runId, then, scope);
        scope.over.push(runId);
        break;
    }
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

  #endRun(no: number, runId: string, then: Extract<Then, { do: "end" }>, scope: Scope): void {
    const result = then.result === undefined ? null : storable(then.result, "the result");
    const error = then.error === undefined ? null : storable(then.error, "the error");
    if (this.#end.run(then.status, scope.now, no).changes === 0) {
      // S12: who waits hears of it in this transaction.
      const left = this.#waiters.tell({ no, id: runId }, then, scope);
      this.#endAnyhow.run(then.status, scope.now, left, no);
    }
    if (result !== null || error !== null) this.#keepResult.run(no, result, error);
    this.#retries.drop(no);
  }
}
