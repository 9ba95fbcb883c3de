import type { Database } from "better-sqlite3";
import type { NewRun, Outcome, StartWrite } from "@everstep/core";
import type { Catalog } from "./catalog.ts";
import { type Origin, Origins, PARENT_WAITS } from "./origins.ts";
import type { PurgedIds } from "./purged-ids.ts";
import type { Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

type Resolved = Pick<NewRun, "version" | "priority" | "timeoutMs">;

/** Of a workflow that nobody ever told of. */
const FIRST_VERSION = "1";

/** Creates runs. The same id is the same run. */
export class StartWrites {
  readonly #catalog: Catalog;
  readonly #purged: PurgedIds;
  readonly #insert;
  readonly #origins: Origins;
  readonly #insertInput;
  readonly #insertTag;
  readonly #existing;

  constructor(db: Database, catalog: Catalog, purged: PurgedIds) {
    this.#catalog = catalog;
    this.#purged = purged;
    this.#origins = new Origins(db);
    this.#insert = prepare<InsertParameters>(
      db,
      `INSERT INTO everstep_runs (id, workflow, version, priority, phase, owner, attempt, due_at, created_at, started_at,
         timeout_ms, input_hash, awaited)
       VALUES (?, ?, ?, ?, 'forward', ?, ?, ?, ?, ?, ?, ?, ?)
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
    const isClaimable = claim && scope.worker !== null && run.due === undefined && run.version !== null;
    const owner = isClaimable && !this.#catalog.isPaused(run.workflow, scope) ? scope.worker : null;
    return this.#create(run, owner, undefined, scope);
  }

  /** A run that another one or an event starts. Never born claimed. */
  bear(run: NewRun, origin: Origin, scope: Scope): Outcome {
    return this.#create(run, null, origin, scope);
  }

  #create(run: NewRun, owner: number | null, origin: Origin | undefined, scope: Scope): Outcome {
    const id = storable(run.id, "the run's id");
    const purged = this.#purged.find(id, scope);
    if (purged !== undefined) return taken(purged, run);
    const input = storable(run.input, "the input");
    const { version, priority, timeoutMs } = run.version === null ? this.#resolve(run, scope) : run;
    const { changes, lastInsertRowid } = this.#insert.run(
      id,
      storable(run.workflow, "the workflow's name"),
      storable(version ?? FIRST_VERSION, "the workflow's version"),
      priority ?? 0,
      owner,
      owner === null ? 0 : 1,
      owner === null ? dueAt(run.due, scope.now) : null,
      scope.now,
      owner === null ? null : scope.now,
      timeoutMs,
      run.inputHash,
      origin?.parent?.called === true ? PARENT_WAITS : 0,
    );
    if (changes === 0) return taken(this.#existing.get(id), run);
    const no = Number(lastInsertRowid);
    this.#insertInput.run(no, input);
    if (origin !== undefined || run.raw === true) this.#origins.add(no, { ...origin, raw: run.raw ?? false });
    for (const name in run.tags) {
      this.#insertTag.run(no, storable(name, "a tag"), storable(run.tags[name] ?? "", "a tag"));
    }
    if (owner === null) scope.changed.push(run.id);
    return { is: "created", createdAt: scope.now, claimed: owner !== null };
  }

  /** By name only: as the workers told that have it. */
  #resolve({ workflow, priority }: NewRun, scope: Scope): Resolved {
    const told = this.#catalog.current(workflow, scope);
    if (told === undefined) return { version: null, priority, timeoutMs: null };
    return { version: told.version, priority: priority ?? told.priority, timeoutMs: told.timeoutMs };
  }
}

function taken(by: { workflow: string; input_hash: string } | undefined, run: NewRun): Outcome {
  if (by?.workflow === run.workflow && by.input_hash === run.inputHash) return { is: "exists" };
  return { is: "conflict", workflow: by?.workflow ?? "" };
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
  awaited: number,
];

function dueAt(due: StartWrite["run"]["due"], now: number): number {
  if (due === undefined) return now;
  return Math.ceil("at" in due ? due.at : now + due.inMs);
}
