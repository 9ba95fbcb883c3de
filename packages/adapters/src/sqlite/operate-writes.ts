import type { Database } from "better-sqlite3";
import { type OperateWrite, type Outcome, type Phase, type EndStatus, statusOf } from "@everstep/core";
import { DONE, NOT_FOUND, type Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

interface Subject {
  readonly no: number;
  readonly phase: Phase;
  readonly ended: EndStatus | null;
  readonly owner: number | null;
  readonly due_at: number | null;
  readonly stuck: string | null;
}

/** What a person asks for. */
export class OperateWrites {
  readonly #subject;
  readonly #done;
  readonly #resume;
  readonly #resetRetries;
  readonly #append;
  readonly #appended;

  constructor(db: Database) {
    this.#subject = prepare<[string], Subject>(
      db,
      `SELECT no, phase, ended, owner, due_at, stuck FROM everstep_runs WHERE id = ?`,
    );
    // From the last entry to the first. Asked for only when the run is not stuck, or seldom is.
    this.#done = prepare<[run: number, id: string], number>(
      db,
      `WITH RECURSIVE chain (no) AS (
         SELECT last_entry FROM everstep_runs WHERE no = ?
         UNION ALL
         SELECT j.before FROM chain JOIN everstep_journal j ON j.no = chain.no WHERE j.before IS NOT NULL
       )
       SELECT 1 FROM chain CROSS JOIN everstep_journal j ON j.no = chain.no WHERE j.kind = 'resume' AND j.key = ? LIMIT 1`,
    ).pluck();
    this.#resume = prepare<[number, number]>(
      db,
      `UPDATE everstep_runs SET stuck = NULL, strikes = 0, strikes_alone = 0, interrupted = 0, due_at = ? WHERE no = ?`,
    );
    // What needed a person starts anew. A doubt outlives the person's "go on" in the step's row.
    this.#resetRetries = prepare<[number, number, number]>(
      db,
      `UPDATE everstep_retries SET failures = 0, first_at = ?, next_at = ? WHERE run = ? AND next_at IS NULL`,
    );
    // S4: gapless, and `at` never decreases, whatever clock wrote the entry before.
    this.#append = prepare<[id: string, now: number, now: number, value: string, run: number]>(
      db,
      `INSERT INTO everstep_journal (before, run, seq, attempt, kind, key, at, value)
       SELECT r.last_entry, r.no, r.entries + 1, r.attempt, 'resume', ?, max(ifnull(j.at, ?), ?), ?
       FROM everstep_runs r LEFT JOIN everstep_journal j ON j.no = r.last_entry
       WHERE r.no = ?`,
    );
    this.#appended = prepare<[number, number]>(
      db,
      `UPDATE everstep_runs SET entries = entries + 1, entry_before = last_entry, last_entry = ? WHERE no = ?`,
    );
  }

  apply(write: OperateWrite, scope: Scope): Outcome {
    const run = this.#subject.get(storable(write.runId, "the run's id"));
    if (run === undefined) return NOT_FOUND;
    // S7: an operator whose answer got lost asks again.
    const id = storable(write.id, "the operation's id");
    if (this.#done.get(run.no, id) !== undefined) return DONE;
    if (run.stuck === null) return { is: "wrong-state", status: statusNow(run, scope.now) };
    const value = storable(write.value, "the note");
    this.#resume.run(scope.now, run.no);
    this.#resetRetries.run(scope.now, scope.now, run.no);
    const { lastInsertRowid } = this.#append.run(id, scope.now, scope.now, value, run.no);
    this.#appended.run(Number(lastInsertRowid), run.no);
    scope.nextEntryNo = Number(lastInsertRowid) + 1;
    scope.changed.push(write.runId);
    return DONE;
  }
}

function statusNow({ phase, ended, owner, due_at }: Subject, now: number): ReturnType<typeof statusOf> {
  return statusOf({ phase, end: ended, owner, dueAt: due_at, stuck: null }, now);
}
