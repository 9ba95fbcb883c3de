import type { Database } from "better-sqlite3";
import type { ClaimRequest, ClaimResult, WorkflowRef } from "@everstep/core";
import type { Catalog } from "./catalog.ts";
import type { RunReader } from "./run-reader.ts";
import { prepare } from "./statement.ts";
import type { Transactions } from "./transactions.ts";

/** Runs of one workflow, version and priority, and when the first of them is due. */
interface Level {
  readonly workflow: string;
  readonly version: string;
  readonly priority: number;
  readonly first: number | null;
}

interface Candidate {
  readonly no: number;
  readonly due_at: number;
}

/** A run that was claimed, not loaded yet. */
export interface Picked {
  readonly no: number;
  readonly attempt: number;
}

export interface PickedRuns {
  readonly picked: readonly Picked[];
  readonly nextDueAt: number | null;
  /** Those of the workflows that are paused: they were not looked at. */
  readonly paused: readonly string[];
}

/** What a look found. */
interface Glance {
  readonly levels: readonly Level[];
  readonly paused: readonly string[];
}

/**
 * Claiming. Its index holds only runs that wait for a time, sorted as they are claimed within a workflow; the levels of
 * priority, few and seldom, are skipped over one by one. So neither finished runs nor runs of workflows that nobody here has
 * are ever looked at, and an idle worker never writes.
 */
export class Claims {
  readonly #transactions: Transactions;
  readonly #reader: RunReader;
  readonly #catalog: Catalog;
  readonly #levels;
  readonly #candidates;
  readonly #take;
  readonly #isLive;
  readonly #nos;
  readonly #inbox;

  constructor(db: Database, transactions: Transactions, reader: RunReader, catalog: Catalog) {
    this.#transactions = transactions;
    this.#reader = reader;
    this.#catalog = catalog;
    const ofLevel = `FROM everstep_runs r INDEXED BY everstep_runs_due
        WHERE r.workflow = level.workflow AND r.version = level.version AND r.due_at IS NOT NULL`;
    this.#levels = prepare<[workflows: string, except: string], Level>(
      db,
      `WITH RECURSIVE level (workflow, version, priority) AS (
         SELECT DISTINCT value ->> 'name', value ->> 'version', 9e999 FROM json_each(?)
         UNION ALL
         SELECT level.workflow, level.version,
           (SELECT r.priority ${ofLevel} AND r.priority < level.priority ORDER BY r.priority DESC LIMIT 1)
         FROM level WHERE level.priority IS NOT NULL
       )
       SELECT workflow, version, priority,
         (SELECT r.due_at ${ofLevel} AND r.priority = level.priority AND r.no NOT IN (SELECT value FROM json_each(?))
          ORDER BY r.due_at LIMIT 1) AS first
       FROM level WHERE priority < 9e999
       ORDER BY priority DESC`,
    );
    this.#candidates = prepare<[string, string, number, number, string, number], Candidate>(
      db,
      `SELECT no, due_at FROM everstep_runs INDEXED BY everstep_runs_due
       WHERE workflow = ? AND version = ? AND priority = ? AND due_at <= ? AND no NOT IN (SELECT value FROM json_each(?))
       ORDER BY due_at, no LIMIT ?`,
    );
    // S5: each claim is a new, greater attempt.
    this.#take = prepare<[number, number, number], number>(
      db,
      `UPDATE everstep_runs SET owner = ?, attempt = attempt + 1, due_at = NULL, waits = NULL,
         started_at = ifnull(started_at, ?)
       WHERE no = ? AND due_at IS NOT NULL RETURNING attempt`,
    ).pluck();
    this.#isLive = prepare<[number], number>(
      db,
      `SELECT 1 FROM everstep_workers WHERE id = ? AND live = 1`,
    ).pluck();
    this.#nos = prepare<[string], string>(
      db,
      `SELECT json_group_array(no) FROM everstep_runs WHERE id IN (SELECT value FROM json_each(?))`,
    ).pluck();
    this.#inbox = prepare<[string, number], { no: number; inbox: number }>(
      db,
      `SELECT no, inbox FROM everstep_runs WHERE id = ? AND owner = ?`,
    );
  }

  /** Takes the runs that are due, in a transaction only if there are any. */
  pick(request: ClaimRequest, now: number): PickedRuns {
    const glance = this.#transactions.read(() => this.#look(request));
    if (request.limit <= 0 || !glance.levels.some((level) => isDue(level, now))) return nothing(glance);
    return this.#transactions.write(() => {
      if (this.#isLive.get(request.worker) === undefined) return nothing(glance);
      const picked = this.#takeBest(this.#look(request).levels, request, now);
      return { ...nothing(this.#look(request)), picked };
    });
  }

  /** New messages of runs that the worker holds. */
  inboxes({ inboxes, worker }: ClaimRequest): ClaimResult["inboxes"] {
    return inboxes.flatMap(({ runId, after }) => {
      const run = this.#inbox.get(runId, worker);
      if (run === undefined || run.inbox <= after) return [];
      return [{ runId, inbox: run.inbox, messages: this.#reader.messages(run.no, after) }];
    });
  }

  #look(request: ClaimRequest): Glance {
    const all = this.#catalog.pausedNames();
    const isPaused = ({ name }: WorkflowRef): boolean => all.has(name);
    const workflows = all.size === 0 ? request.workflows : request.workflows.filter((ref) => !isPaused(ref));
    return {
      levels: this.#levels.all(JSON.stringify(workflows), this.#exceptNos(request)),
      paused:
        all.size === 0
          ? []
          : [...new Set(request.workflows.filter(isPaused).map(({ name }) => name))].toSorted(),
    };
  }

  #exceptNos({ except }: ClaimRequest): string {
    return except.length === 0 ? "[]" : (this.#nos.get(JSON.stringify(except)) ?? "[]");
  }

  /** Level by level, from the highest priority down; within a priority the longest due of all workflows first. */
  #takeBest(levels: readonly Level[], request: ClaimRequest, now: number): readonly Picked[] {
    const except = this.#exceptNos(request);
    const picked: Picked[] = [];
    const due = Map.groupBy(
      levels.filter((level) => isDue(level, now)),
      ({ priority }) => priority,
    );
    for (const peers of due.values()) {
      const left = request.limit - picked.length;
      if (left <= 0) break;
      const candidates = peers.flatMap(({ workflow, version, priority }) =>
        this.#candidates.all(workflow, version, priority, now, except, left),
      );
      const best = peers.length === 1 ? candidates : candidates.toSorted(byDueAt).slice(0, left);
      for (const { no } of best) this.#takeOne(no, request.worker, now, picked);
    }
    return picked;
  }

  #takeOne(no: number, worker: number, now: number, picked: Picked[]): void {
    const attempt = this.#take.get(worker, now, no);
    if (attempt !== undefined) picked.push({ no, attempt });
  }
}

function nothing({ levels, paused }: Glance): PickedRuns {
  return { picked: [], nextDueAt: nextOf(levels), paused };
}

function isDue({ first }: Level, now: number): boolean {
  return first !== null && first <= now;
}

function byDueAt(a: Candidate, b: Candidate): number {
  return a.due_at - b.due_at || a.no - b.no;
}

function nextOf(levels: readonly Level[]): number | null {
  let next: number | null = null;
  for (const { first } of levels) if (first !== null && (next === null || first < next)) next = first;
  return next;
}
