import type { Database } from "better-sqlite3";
import { type Claim, type Entry, type Message, type RunDetails, StoreError } from "@everstep/core";
import type { Catalog } from "./catalog.ts";
import {
  ENTRY_COLUMNS,
  type EntryRow,
  MESSAGE_COLUMNS,
  type MessageRow,
  RETRY_COLUMNS,
  type RetryRow,
  RUN_COLUMNS,
  type RunRow,
  toEntry,
  toRetry,
  toRun,
  toWorker,
  WORKER_COLUMNS,
  type WorkerRow,
} from "./run-rows.ts";
import { prepare } from "./statement.ts";

/** One run with all that belongs to it. Call it within one read transaction: it takes several statements. */
export class RunReader {
  readonly #catalog: Catalog;
  readonly #byNo;
  readonly #byId;
  readonly #journal;
  readonly #messages;
  readonly #retries;
  readonly #worker;
  readonly #capable;

  constructor(db: Database, catalog: Catalog) {
    this.#catalog = catalog;
    const run = `SELECT ${RUN_COLUMNS} FROM everstep_runs r`;
    this.#byNo = prepare<[number, number, number], RunRow>(
      db,
      `${run} WHERE r.no = ? AND r.owner = ? AND r.attempt = ?`,
    );
    this.#byId = prepare<[string], RunRow>(db, `${run} WHERE r.id = ?`);
    // From the last entry to the first: each knows the one before it.
    this.#journal = prepare<[number | null], EntryRow>(
      db,
      `WITH RECURSIVE chain (no) AS (
         SELECT ?
         UNION ALL
         SELECT j.before FROM chain JOIN everstep_journal j ON j.no = chain.no WHERE j.before IS NOT NULL
       )
       SELECT ${ENTRY_COLUMNS} FROM chain CROSS JOIN everstep_journal j ON j.no = chain.no`,
    );
    this.#messages = prepare<[number, number], MessageRow>(
      db,
      `SELECT ${MESSAGE_COLUMNS} FROM everstep_messages INDEXED BY everstep_messages_new
       WHERE run = ? AND no > ? AND consumed_by IS NULL ORDER BY no`,
    );
    this.#retries = prepare<[number], RetryRow>(
      db,
      `SELECT ${RETRY_COLUMNS} FROM everstep_retries WHERE run = ?`,
    );
    this.#worker = prepare<[number], WorkerRow>(
      db,
      `SELECT ${WORKER_COLUMNS} FROM everstep_workers WHERE id = ?`,
    );
    this.#capable = prepare<[number, string, string], number>(
      db,
      `SELECT count(*) FROM everstep_workers w INDEXED BY everstep_workers_live
       WHERE w.live = 1 AND w.expires_at > ? AND EXISTS (SELECT 1 FROM json_each(w.workflows) f
         WHERE f.value ->> 'name' = ? AND f.value ->> 'version' = ?)`,
    ).pluck();
  }

  /** Undefined when the worker does not own the run under this attempt any more. */
  owned(no: number, worker: number, attempt: number): Claim | undefined {
    const row = this.#byNo.get(no, worker, attempt);
    return row === undefined ? undefined : this.#claim(row);
  }

  details(runId: string, now: number): RunDetails | undefined {
    const row = runId.isWellFormed() ? this.#byId.get(runId) : undefined;
    if (row === undefined) return undefined;
    const owner = row.owner === null ? undefined : this.#worker.get(row.owner);
    return {
      ...this.#claim(row),
      now,
      owner: owner === undefined ? null : toWorker(owner),
      capable: this.#capable.get(now, row.workflow, row.version) ?? 0,
      workflowPaused: this.#catalog.pauseOf(row.workflow),
    };
  }

  /** Those not consumed yet, beyond `after`. */
  messages(no: number, after: number): readonly Message[] {
    return this.#messages.all(no, after);
  }

  #claim(row: RunRow): Claim {
    return {
      run: toRun(row),
      journal: this.#entries(row),
      messages: row.inbox === 0 ? [] : this.messages(row.no, 0),
      retries: this.#retries.all(row.no).map(toRetry),
    };
  }

  #entries({ id, entries, last_entry }: RunRow): readonly Entry[] {
    if (entries === 0) return [];
    const journal = this.#journal.all(last_entry).map(toEntry).toReversed();
    if (journal.length === entries && journal.every(({ seq }, index) => seq === index + 1)) return journal;
    throw new StoreError(
      `the journal of run ${id} is damaged: of ${entries} entries ${journal.length} were found; restore a backup, and check the file with \`PRAGMA integrity_check\``,
    );
  }
}
