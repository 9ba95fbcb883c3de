import type { Database } from "better-sqlite3";
import type { ImportWrite, Outcome } from "@everstep/core";
import type { JournalWrites } from "./journal-writes.ts";
import type { Origins } from "./origins.ts";
import type { PurgedIds } from "./purged-ids.ts";
import type { RetryWrites } from "./retry-writes.ts";
import { DONE, type Scope } from "./scope.ts";
import { prepare, storable, type Value } from "./statement.ts";
import type { Waiters } from "./waiters.ts";

interface Others {
  readonly journal: JournalWrites;
  readonly origins: Origins;
  readonly purged: PurgedIds;
  readonly retries: RetryWrites;
  readonly waiters: Waiters;
}

/** Runs as they were elsewhere, or forks. */
export class ImportWrites {
  readonly #others: Others;
  readonly #insert;
  readonly #existing;
  readonly #insertInput;
  readonly #insertTag;
  readonly #insertResult;
  readonly #insertMessage;

  constructor(db: Database, others: Others) {
    this.#others = others;
    this.#insert = prepare<Value[]>(
      db,
      `INSERT INTO everstep_runs (id, workflow, version, priority, phase, ended, attempt, due_at, stuck, paused, inbox,
         created_at, started_at, ended_at, timeout_ms, input_hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
    );
    this.#existing = prepare<[string], string>(db, `SELECT workflow FROM everstep_runs WHERE id = ?`).pluck();
    this.#insertInput = prepare<[number, string]>(
      db,
      `INSERT INTO everstep_inputs (run, input) VALUES (?, ?)`,
    );
    this.#insertTag = prepare<[number, string, string]>(
      db,
      `INSERT INTO everstep_tags (run, name, value) VALUES (?, ?, ?)`,
    );
    this.#insertResult = prepare<[number, string | null, string | null]>(
      db,
      `INSERT INTO everstep_results (run, result, error) VALUES (?, ?, ?)`,
    );
    this.#insertMessage = prepare<[number, number, string, string, string, string, number]>(
      db,
      `INSERT INTO everstep_messages (run, no, type, id, name, payload, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
  }

  apply(write: ImportWrite, scope: Scope): Outcome {
    const { run } = write;
    const id = storable(run.id, "the run's id");
    const purged = this.#others.purged.find(id, scope);
    if (purged !== undefined) return { is: "conflict", workflow: purged.workflow };
    const { changes, lastInsertRowid } = this.#insert.run(...columnsOf(write, scope));
    if (changes === 0) return { is: "conflict", workflow: this.#existing.get(id) ?? "" };
    const no = Number(lastInsertRowid);
    this.#fill(no, write, scope);
    for (const { runId, key } of write.awaits) this.#others.waiters.add({ no }, runId, key, scope);
    (run.end === null && run.stuck === null ? scope.changed : scope.over).push(id);
    return DONE;
  }

  /** All that belongs to the run's row. */
  #fill(no: number, { run, journal, messages, retries }: ImportWrite, scope: Scope): void {
    this.#insertInput.run(no, storable(run.input, "the input"));
    for (const name in run.tags) {
      this.#insertTag.run(no, storable(name, "a tag"), storable(run.tags[name] ?? "", "a tag"));
    }
    if (run.parent !== null || run.event !== null || run.raw) this.#others.origins.add(no, run);
    if (run.result !== null || run.error !== null)
      this.#insertResult.run(no, text(run.result), text(run.error));
    this.#others.journal.appendForeign(no, journal, scope);
    for (const [index, { type, id, name, payload, at }] of messages.entries()) {
      const texts = [type, id, name, payload].map((one) => storable(one, "a message")) as MessageTexts;
      this.#insertMessage.run(no, index + 1, ...texts, at);
    }
    this.#others.retries.keep(no, retries);
  }
}

type MessageTexts = [type: string, id: string, name: string, payload: string];

function columnsOf({ run, inputHash, messages }: ImportWrite, scope: Scope): Value[] {
  const isDue = run.end === null && run.stuck === null && run.paused === null;
  return [
    run.id,
    storable(run.workflow, "the workflow's name"),
    storable(run.version, "the workflow's version"),
    run.priority,
    run.phase,
    run.end,
    run.attempt,
    isDue ? scope.now : null,
    run.stuck === null ? null : JSON.stringify(run.stuck),
    run.paused === null ? null : JSON.stringify(run.paused),
    messages.length,
    run.createdAt,
    run.startedAt,
    run.endedAt,
    run.timeoutMs,
    inputHash,
  ];
}

function text(value: string | null): string | null {
  return value === null ? null : storable(value, "a text of the run");
}
