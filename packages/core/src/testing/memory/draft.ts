/** The draft in which a transaction changes the rows; publishing it is what a commit is to a database. */
import type { PauseNote, RunRecord } from "../../store.ts";
import type {
  EventRow,
  MemoryData,
  OutboxEntry,
  PurgedRow,
  RunRow,
  Waiter,
  WorkerRow,
  WorkflowRow,
} from "./rows.ts";

/** The changes of one table: seen in it at once, and by others from `publish` on. */
export class Changes<K, V> {
  readonly #table: Map<K, V>;
  /** `undefined`: deleted. */
  readonly #changed = new Map<K, V | undefined>();

  constructor(table: Map<K, V>) {
    this.#table = table;
  }

  get(key: K): V | undefined {
    return this.#changed.has(key) ? this.#changed.get(key) : this.#table.get(key);
  }

  set(key: K, value: V): void {
    this.#changed.set(key, value);
  }

  delete(key: K): void {
    this.#changed.set(key, undefined);
  }

  /** In the order of their keys' first insertion. */
  values(): V[] {
    return [...this.entries().values()];
  }

  entries(): Map<K, V> {
    const all = new Map(this.#table);
    for (const [key, value] of this.#changed) {
      if (value === undefined) all.delete(key);
      else all.set(key, value);
    }
    return all;
  }

  changed(): Iterable<[K, V | undefined]> {
    return this.#changed;
  }

  publish(): void {
    for (const [key, value] of this.#changed) {
      if (value === undefined) this.#table.delete(key);
      else this.#table.set(key, value);
    }
  }
}

/** One transaction: sees its own writes; nobody else does before `publish`. */
export class Draft {
  readonly workers: Changes<number, WorkerRow>;
  readonly workflows: Changes<string, WorkflowRow>;
  readonly pauses: Changes<string, PauseNote>;
  readonly events: Changes<string, EventRow>;
  readonly purged: Changes<string, PurgedRow>;
  readonly waiters: Changes<string, readonly Waiter[]>;
  readonly outbox: Changes<number, OutboxEntry>;
  readonly #data: MemoryData;
  readonly #runs: Changes<string, RunRow>;
  #lastNo: number;
  #lastOutboxNo: number;

  constructor(data: MemoryData) {
    this.#data = data;
    this.#runs = new Changes(data.runs);
    this.workers = new Changes(data.workers);
    this.workflows = new Changes(data.workflows);
    this.pauses = new Changes(data.pauses);
    this.events = new Changes(data.events);
    this.purged = new Changes(data.purged);
    this.waiters = new Changes(data.waiters);
    this.outbox = new Changes(data.outbox);
    this.#lastNo = data.lastNo;
    this.#lastOutboxNo = data.lastOutboxNo;
  }

  run(id: string): RunRow | undefined {
    return this.#runs.get(id);
  }

  nextNo(): number {
    this.#lastNo += 1;
    return this.#lastNo;
  }

  nextOutboxNo(): number {
    this.#lastOutboxNo += 1;
    return this.#lastOutboxNo;
  }

  insert(row: Omit<RunRow, "no">): void {
    this.put({ ...row, no: this.nextNo() });
  }

  put(row: RunRow): void {
    this.#runs.set(row.run.id, row);
  }

  /** Replaces columns of the run's row. */
  set(row: RunRow, columns: Partial<RunRecord>, others: Partial<Omit<RunRow, "run" | "no">> = {}): void {
    this.put({ ...row, ...others, run: { ...row.run, ...columns } });
  }

  deleteRun(id: string): void {
    this.#runs.delete(id);
  }

  runs(): readonly RunRow[] {
    return this.#runs.values();
  }

  liveRuns(): readonly RunRow[] {
    const rows = new Map<string, RunRow | undefined>([...this.#data.live, ...this.#runs.changed()]);
    return [...rows.values()].flatMap((row) => (row?.run.end === null ? [row] : []));
  }

  /** Commits. Answers what others may wait for: runs, and whether a workflow was paused or resumed. */
  publish(): { readonly runIds: readonly string[]; readonly pauses: boolean } {
    const runIds: string[] = [];
    for (const [id, row] of this.#runs.changed()) {
      if (row !== undefined && isNoteworthy(this.#data.runs.get(id)?.run, row.run)) runIds.push(id);
      if (row?.run.end === null) this.#data.live.set(id, row);
      else this.#data.live.delete(id);
    }
    const pauses = [...this.pauses.changed()].length > 0;
    this.#runs.publish();
    for (const table of [this.workers, this.workflows, this.pauses, this.events]) table.publish();
    for (const table of [this.purged, this.waiters, this.outbox]) table.publish();
    this.#data.lastNo = this.#lastNo;
    this.#data.lastOutboxNo = this.#lastOutboxNo;
    return { runIds, pauses };
  }
}

/** Whether another process may want to look: new messages, something due, an end, or a person is needed. */
function isNoteworthy(before: RunRecord | undefined, after: RunRecord): boolean {
  if (before === undefined) return after.dueAt !== null;
  return (
    after.inbox !== before.inbox ||
    (after.dueAt !== null && after.dueAt !== before.dueAt) ||
    after.end !== before.end ||
    after.stuck !== before.stuck
  );
}
