import type { Database } from "better-sqlite3";
import type { MendWrite, Outcome } from "@everstep/core";
import type { JournalWrites } from "./journal-writes.ts";
import { statusNow, type Subject, type Subjects } from "./operate-writes.ts";
import type { RetryWrites } from "./retry-writes.ts";
import { DONE, NOT_FOUND, type Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";
import type { Waiters } from "./waiters.ts";

interface Others {
  readonly subjects: Subjects;
  readonly journal: JournalWrites;
  readonly retries: RetryWrites;
  readonly waiters: Waiters;
}

/** What a person decided on a run that was read, if nothing has become of it since (S14). */
export class MendWrites {
  readonly #others: Others;
  readonly #mend;
  readonly #reopen;
  readonly #forgetResult;
  readonly #makeDue;

  constructor(db: Database, others: Others) {
    this.#others = others;
    this.#mend = prepare<[version: string | null, run: number]>(
      db,
      `UPDATE everstep_runs SET version = ifnull(?, version), strikes = 0, strikes_alone = 0, interrupted = 0 WHERE no = ?`,
    );
    this.#reopen = prepare<[number]>(
      db,
      `UPDATE everstep_runs SET phase = 'forward', ended = NULL, ended_at = NULL WHERE no = ?`,
    );
    this.#forgetResult = prepare<[number]>(db, `DELETE FROM everstep_results WHERE run = ?`);
    this.#makeDue = prepare<[number, number]>(
      db,
      `UPDATE everstep_runs SET stuck = NULL, paused = NULL, waits = NULL, due_at = ? WHERE no = ?`,
    );
  }

  apply(write: MendWrite, scope: Scope): Outcome {
    const { subjects, journal } = this.#others;
    const run = subjects.find(write.runId);
    if (run === undefined) return NOT_FOUND;
    const [{ kind, key }] = write.entries;
    // S7: a person whose answer got lost asks again.
    if (journal.hasOperation(run.no, storable(key, "the operation's id"), kind)) return DONE;
    if (!isAsRead(run, write)) return { is: "changed", status: statusNow(run, scope.now) };
    journal.appendUnowned(run, write.entries, scope);
    this.#mendRetries(run.no, write);
    this.#mend.run(write.version === undefined ? null : storable(write.version, "the version"), run.no);
    if (write.phase !== undefined) {
      this.#reopen.run(run.no);
      this.#forgetResult.run(run.no);
    }
    if (write.then === "due") {
      this.#makeDue.run(scope.now, run.no);
      scope.changed.push(run.id);
    }
    if (run.ended !== null) this.#others.waiters.tellMissed(run, scope);
    return DONE;
  }

  #mendRetries(no: number, { retries, settled }: MendWrite): void {
    if (settled === "all") this.#others.retries.drop(no);
    else if (settled !== undefined) this.#others.retries.settle(no, settled);
    if (retries !== undefined) this.#others.retries.keep(no, retries);
  }
}

function isAsRead(run: Subject, { attempt, length, phase }: MendWrite): boolean {
  return (
    run.owner === null &&
    run.attempt === attempt &&
    run.entries === length &&
    (run.ended === null || phase !== undefined)
  );
}
