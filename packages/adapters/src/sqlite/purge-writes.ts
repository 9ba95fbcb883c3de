import type { Database } from "better-sqlite3";
import type { Outcome, PurgeWrite } from "@everstep/core";
import { statusNow, type Subject, type Subjects } from "./operate-writes.ts";
import type { PurgedIds, PurgedRun } from "./purged-ids.ts";
import { DONE, NOT_FOUND, type Scope } from "./scope.ts";
import { prepare } from "./statement.ts";

interface Condemned extends PurgedRun {
  readonly no: number;
  readonly hasEnded: number;
}

/** Forgets a run and those that it called, all in one transaction: no child is ever left without the run that called it. */
export class PurgeWrites {
  readonly #subjects: Subjects;
  readonly #purged: PurgedIds;
  readonly #caller;
  readonly #family;
  readonly #forgetJournal;
  readonly #forgetRest;

  constructor(db: Database, subjects: Subjects, purged: PurgedIds) {
    this.#subjects = subjects;
    this.#purged = purged;
    this.#caller = prepare<[number], number>(
      db,
      `SELECT 1 FROM everstep_origins g CROSS JOIN everstep_runs p ON p.id = g.parent
       WHERE g.run = ? AND g.called = 1 AND p.ended IS NULL`,
    ).pluck();
    this.#family = prepare<[number], Condemned>(
      db,
      `WITH RECURSIVE family (no, id) AS (
         SELECT no, id FROM everstep_runs WHERE no = ?
         UNION
         SELECT c.no, c.id FROM family CROSS JOIN everstep_origins g INDEXED BY everstep_origins_parent ON g.parent = family.id
           CROSS JOIN everstep_runs c ON c.no = g.run
         WHERE g.called = 1
       )
       SELECT r.no, r.id, r.workflow, r.input_hash, r.ended IS NOT NULL AS hasEnded
       FROM family CROSS JOIN everstep_runs r ON r.no = family.no`,
    );
    // From the last entry to the first, before the run's row is gone: nothing else knows where its entries are.
    this.#forgetJournal = prepare<[number]>(
      db,
      `WITH RECURSIVE chain (no) AS (
         SELECT last_entry FROM everstep_runs WHERE no = ? AND last_entry IS NOT NULL
         UNION ALL
         SELECT j.before FROM chain JOIN everstep_journal j ON j.no = chain.no WHERE j.before IS NOT NULL
       )
       DELETE FROM everstep_journal WHERE no IN (SELECT no FROM chain)`,
    );
    this.#forgetRest = [
      `everstep_messages WHERE run = ?`,
      `everstep_retries WHERE run = ?`,
      `everstep_tags WHERE run = ?`,
      `everstep_inputs WHERE run = ?`,
      `everstep_origins WHERE run = ?`,
      `everstep_results WHERE run = ?`,
      `everstep_waiters WHERE run = ?`,
      `everstep_waiters WHERE waiter = ?`,
      `everstep_runs WHERE no = ?`,
    ].map((rows) => prepare<[number]>(db, `DELETE FROM ${rows}`));
  }

  apply({ runId }: PurgeWrite, scope: Scope): Outcome {
    this.#purged.forgetOld(scope);
    const run = this.#subjects.find(runId);
    if (run === undefined) return NOT_FOUND;
    const family = this.#family.all(run.no);
    if (this.#isNeeded(run, family)) return { is: "wrong-state", status: statusNow(run, scope.now) };
    for (const { no } of family) {
      this.#forgetJournal.run(no);
      for (const forget of this.#forgetRest) forget.run(no);
    }
    this.#purged.remember(family, scope);
    return DONE;
  }

  #isNeeded(run: Subject, family: readonly Condemned[]): boolean {
    return family.some(({ hasEnded }) => hasEnded === 0) || this.#caller.get(run.no) !== undefined;
  }
}
