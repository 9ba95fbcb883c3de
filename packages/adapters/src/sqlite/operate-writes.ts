import type { Database } from "better-sqlite3";
import {
  type EndStatus,
  type OperateWrite,
  type Outcome,
  type Phase,
  type RunStatus,
  statusOf,
} from "@everstep/core";
import type { JournalWrites, UnownedRun } from "./journal-writes.ts";
import type { MessageWrites } from "./message-writes.ts";
import type { RetryWrites } from "./retry-writes.ts";
import { DONE, NOT_FOUND, type Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

/** A run as a person's decision is judged by. */
export interface Subject extends UnownedRun {
  readonly id: string;
  readonly phase: Phase;
  readonly ended: EndStatus | null;
  readonly owner: number | null;
  readonly due_at: number | null;
  readonly stuck: string | null;
  readonly paused: string | null;
  readonly inbox: number;
  /** When its last entry was queued. */
  readonly last_at: number | null;
}

/** Reads runs for a person's decision. */
export class Subjects {
  readonly #byId;

  constructor(db: Database) {
    this.#byId = prepare<[string], Subject>(
      db,
      `SELECT r.no, r.id, r.phase, r.ended, r.owner, r.attempt, r.due_at, r.stuck, r.paused, r.inbox, r.entries, r.last_entry,
         (SELECT j.at FROM everstep_journal j WHERE j.no = r.last_entry) AS last_at
       FROM everstep_runs r WHERE r.id = ?`,
    );
  }

  find(runId: string): Subject | undefined {
    return this.#byId.get(storable(runId, "the run's id"));
  }
}

export function statusNow({ phase, ended, owner, due_at, stuck }: Subject, now: number): RunStatus {
  // Only that it is stuck matters here, not why.
  const note = stuck === null ? null : { code: "", message: "", at: 0 };
  return statusOf({ phase, end: ended, owner, dueAt: due_at, stuck: note }, now);
}

interface Others {
  readonly subjects: Subjects;
  readonly journal: JournalWrites;
  readonly retries: RetryWrites;
  readonly messages: MessageWrites;
}

/** What a person asks for, whoever owns the run. */
export class OperateWrites {
  readonly #others: Others;
  readonly #unstick;
  readonly #pause;
  readonly #unpause;

  constructor(db: Database, others: Others) {
    this.#others = others;
    this.#unstick = prepare<[number, number]>(
      db,
      `UPDATE everstep_runs SET stuck = NULL, paused = NULL, waits = NULL, strikes = 0, strikes_alone = 0, interrupted = 0, due_at = ?
       WHERE no = ?`,
    );
    // A start whose time was to come keeps it: see PausedRow.
    this.#pause = prepare<[now: number, note: string, run: number]>(
      db,
      `UPDATE everstep_runs SET
         paused = json_object('at', ?, 'note', ?, 'dueAt', iif(attempt = 0, due_at, NULL)), due_at = NULL
       WHERE no = ?`,
    );
    this.#unpause = prepare<[now: number, run: number]>(
      db,
      `UPDATE everstep_runs SET due_at = iif(owner IS NULL, ifnull(paused ->> 'dueAt', ?), NULL), paused = NULL, waits = NULL
       WHERE no = ?`,
    );
  }

  apply(write: OperateWrite, scope: Scope): Outcome {
    const { subjects, journal, messages } = this.#others;
    const run = subjects.find(write.runId);
    if (run === undefined) return NOT_FOUND;
    const id = storable(write.id, "the operation's id");
    storable(write.value, "the note");
    // S7: an operator whose answer got lost asks again. An owner may not have written the entry yet.
    const isDone = messages.hasSeen(run.no, { type: "operator", id });
    if (isDone || journal.hasOperation(run.no, id, "resume", "pause")) return DONE;
    return write.operation === "resume"
      ? this.#resumeRun(run, write, scope)
      : this.#pauseRun(run, write, scope);
  }

  #resumeRun(run: Subject, write: OperateWrite, scope: Scope): Outcome {
    if (run.stuck !== null) {
      this.#unstick.run(scope.now, run.no);
      this.#others.retries.resume(run.no, scope.now);
    } else if (run.paused !== null) {
      this.#unpause.run(scope.now, run.no);
    } else {
      return { is: "wrong-state", status: statusNow(run, scope.now) };
    }
    this.#record(run, write, scope);
    scope.changed.push(run.id);
    return DONE;
  }

  #pauseRun(run: Subject, write: OperateWrite, scope: Scope): Outcome {
    if (run.ended !== null || run.stuck !== null) {
      return { is: "wrong-state", status: statusNow(run, scope.now) };
    }
    if (run.paused !== null) return DONE;
    this.#pause.run(scope.now, write.value, run.no);
    this.#record(run, write, scope);
    return DONE;
  }

  /** An entry; of an owned run, whose journal is its owner's (S4), a message that becomes one. */
  #record(run: Subject, { operation, id, value }: OperateWrite, scope: Scope): void {
    if (run.owner !== null) {
      this.#others.messages.deliver(
        run.id,
        run,
        { type: "operator", id, name: operation, payload: value },
        scope,
      );
      return;
    }
    // `at` never decreases, whatever clock wrote the entry before.
    const at = Math.max(scope.now, run.last_at ?? 0);
    const entry = { seq: run.entries + 1, kind: operation, key: id, at, value };
    this.#others.journal.appendUnowned(run, [entry], scope);
  }
}
