import type { Database } from "better-sqlite3";
import type { Outcome, StartWrite } from "@everstep/core";
import type { Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

/** Creates runs. The same id is the same run. */
export class StartWrites {
  readonly #insert;
  readonly #insertInput;
  readonly #insertTag;
  readonly #existing;

  constructor(db: Database) {
    this.#insert = prepare<InsertParameters>(
      db,
      `INSERT INTO everstep_runs (id, workflow, version, priority, phase, owner, attempt, due_at, created_at, started_at,
         timeout_ms, input_hash)
       VALUES (?, ?, ?, ?, 'forward', ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
    );
    this.#insertInput = prepare<[number, string]>(
      db,
      `INSERT INTO everstep_inputs (run, input) VALUES (?, ?)`,
    );
    this.#insertTag = prepare<[number, string, string]>(
      db,
      `INSERT INTO everstep_tags (run, name, value) VALUES (?, ?, ?)`,
    );
    this.#existing = prepare<[string], { workflow: string; input_hash: string }>(
      db,
      `SELECT workflow, input_hash FROM everstep_runs WHERE id = ?`,
    );
  }

  apply({ run, claim }: StartWrite, scope: Scope): Outcome {
    const owner = claim && run.due === undefined ? scope.worker : null;
    const claimed = owner !== null;
    const input = storable(run.input, "the input");
    const { changes, lastInsertRowid } = this.#insert.run(
      storable(run.id, "the run's id"),
      storable(run.workflow, "the workflow's name"),
      storable(run.version, "the workflow's version"),
      run.priority,
      owner,
      claimed ? 1 : 0,
      claimed ? null : dueAt(run.due, scope.now),
      scope.now,
      claimed ? scope.now : null,
      run.timeoutMs,
      run.inputHash,
    );
    if (changes === 0) return this.#taken(run);
    const no = Number(lastInsertRowid);
    this.#insertInput.run(no, input);
    for (const name in run.tags) {
      this.#insertTag.run(no, storable(name, "a tag"), storable(run.tags[name] ?? "", "a tag"));
    }
    if (!claimed) scope.changed.push(run.id);
    return { is: "created", createdAt: scope.now, claimed };
  }

  #taken(run: StartWrite["run"]): Outcome {
    const existing = this.#existing.get(run.id);
    if (existing?.workflow === run.workflow && existing.input_hash === run.inputHash) return { is: "exists" };
    return { is: "conflict", workflow: existing?.workflow ?? "" };
  }
}

type InsertParameters = [
  id: string,
  workflow: string,
  version: string,
  priority: number,
  owner: number | null,
  attempt: number,
  dueAt: number | null,
  createdAt: number,
  startedAt: number | null,
  timeoutMs: number | null,
  inputHash: string,
];

function dueAt(due: StartWrite["run"]["due"], now: number): number {
  if (due === undefined) return now;
  return Math.ceil("at" in due ? due.at : now + due.inMs);
}
