import type { Database } from "better-sqlite3";
import type { PauseNote, WorkflowRecord, WorkflowRef, WorkflowSpec } from "@everstep/core";
import type { Scope } from "./scope.ts";
import { prepare, storable } from "./statement.ts";

interface SpecRow {
  readonly name: string;
  readonly version: string;
  readonly event: string | null;
  readonly priority: number;
  readonly timeout_ms: number | null;
  readonly since: number;
}

/** What was looked up in one transaction: a batch of a thousand events asks once. */
interface Known {
  readonly scope: Scope;
  readonly current: Map<string, WorkflowSpec | undefined>;
  readonly listeners: Map<string, readonly WorkflowSpec[]>;
  live: ReadonlySet<string> | undefined;
  paused: ReadonlySet<string> | undefined;
}

/** What workers told of their workflows, and which of these are paused. */
export class Catalog {
  readonly #tell;
  readonly #versions;
  readonly #listening;
  readonly #all;
  readonly #offers;
  readonly #pauses;
  readonly #pauseOf;
  readonly #pause;
  readonly #resume;
  #known: Known | undefined;

  constructor(db: Database) {
    const columns = "name, version, event, priority, timeout_ms, since";
    this.#tell = prepare<[string, string, string | null, number, number | null, number]>(
      db,
      `INSERT INTO everstep_workflows (${columns}) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (name, version) DO UPDATE SET event = excluded.event, priority = excluded.priority,
         timeout_ms = excluded.timeout_ms`,
    );
    this.#versions = prepare<[string], SpecRow>(
      db,
      `SELECT ${columns} FROM everstep_workflows INDEXED BY everstep_workflows_name WHERE name = ? ORDER BY no DESC`,
    );
    this.#listening = prepare<[string], string>(
      db,
      `SELECT DISTINCT name FROM everstep_workflows INDEXED BY everstep_workflows_event WHERE event = ? ORDER BY name`,
    ).pluck();
    this.#all = prepare<[], SpecRow>(db, `SELECT ${columns} FROM everstep_workflows ORDER BY no`);
    this.#offers = prepare<[number], string>(
      db,
      `SELECT workflows FROM everstep_workers INDEXED BY everstep_workers_live WHERE live = 1 AND expires_at > ?`,
    ).pluck();
    this.#pauses = prepare<[], string>(db, `SELECT workflow FROM everstep_workflow_pauses`).pluck();
    this.#pauseOf = prepare<[string], PauseNote>(
      db,
      `SELECT at, note FROM everstep_workflow_pauses WHERE workflow = ?`,
    );
    this.#pause = prepare<[string, number, string]>(
      db,
      `INSERT INTO everstep_workflow_pauses (workflow, at, note) VALUES (?, ?, ?) ON CONFLICT (workflow) DO NOTHING`,
    );
    this.#resume = prepare<[string]>(db, `DELETE FROM everstep_workflow_pauses WHERE workflow = ?`);
  }

  /** Inside the transaction of a join. */
  tell(specs: readonly WorkflowSpec[], now: number): void {
    for (const { name, version, on, priority, timeoutMs } of specs) {
      this.#tell.run(
        storable(name, "the workflow's name"),
        storable(version, "the workflow's version"),
        on === null ? null : storable(on, "the event's name"),
        priority,
        timeoutMs,
        now,
      );
    }
  }

  /** The current version of a workflow; undefined when no worker ever told of it. */
  current(name: string, scope: Scope): WorkflowSpec | undefined {
    const { current } = this.#in(scope);
    if (!current.has(name)) current.set(name, this.#findCurrent(name, scope));
    return current.get(name);
  }

  /** The workflows whose current version listens to the event, by name (S13). */
  listeners(event: string, scope: Scope): readonly WorkflowSpec[] {
    const { listeners } = this.#in(scope);
    const known = listeners.get(event);
    if (known !== undefined) return known;
    const found = this.#listening.all(event).flatMap((name) => {
      const spec = this.current(name, scope);
      return spec?.on === event ? [spec] : [];
    });
    listeners.set(event, found);
    return found;
  }

  isPaused(workflow: string, scope: Scope): boolean {
    const known = this.#in(scope);
    known.paused ??= this.pausedNames();
    return known.paused.has(workflow);
  }

  /** Of all workflows; usually none is. */
  pausedNames(): ReadonlySet<string> {
    return new Set(this.#pauses.all());
  }

  pauseOf(workflow: string): PauseNote | null {
    return this.#pauseOf.get(workflow) ?? null;
  }

  /** Until `note` is null again. A paused one stays paused as it was. */
  setPause(workflow: string, note: string | null, scope: Scope): void {
    this.#known = undefined;
    if (note === null) this.#resume.run(storable(workflow, "the workflow's name"));
    else this.#pause.run(storable(workflow, "the workflow's name"), scope.now, storable(note, "the note"));
  }

  /** Every version that was told of, by name, and in the order in which they were told of. */
  records(now: number): readonly WorkflowRecord[] {
    const live = this.#countLive(now);
    const versionsOf = Map.groupBy(this.#all.all(), ({ name }) => name);
    return [...versionsOf.keys()].toSorted().flatMap((name) => {
      const versions = versionsOf.get(name) ?? [];
      const current = versions.findLast((version) => live.has(refOf(version))) ?? versions.at(-1);
      const paused = this.pauseOf(name);
      return versions.map((row) => ({
        ...toSpec(row),
        since: row.since,
        current: row === current,
        liveWorkers: live.get(refOf(row)) ?? 0,
        paused,
      }));
    });
  }

  #in(scope: Scope): Known {
    if (this.#known?.scope === scope) return this.#known;
    this.#known = { scope, current: new Map(), listeners: new Map(), live: undefined, paused: undefined };
    return this.#known;
  }

  #findCurrent(name: string, scope: Scope): WorkflowSpec | undefined {
    const versions = this.#versions.all(name);
    if (versions.length === 0) return undefined;
    const known = this.#in(scope);
    const live = (known.live ??= new Set(this.#countLive(scope.now).keys()));
    const current = versions.find((version) => live.has(refOf(version))) ?? versions[0];
    return current === undefined ? undefined : toSpec(current);
  }

  /** How many live workers have each version. */
  #countLive(now: number): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const text of this.#offers.all(now)) {
      const refs = new Set((JSON.parse(text) as readonly WorkflowRef[]).map(refOf));
      for (const ref of refs) counts.set(ref, (counts.get(ref) ?? 0) + 1);
    }
    return counts;
  }
}

function refOf({ name, version }: WorkflowRef): string {
  return JSON.stringify([name, version]);
}

function toSpec({ name, version, event, priority, timeout_ms }: SpecRow): WorkflowSpec {
  return { name, version, on: event, priority, timeoutMs: timeout_ms };
}
