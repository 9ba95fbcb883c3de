/**
 * The rows of the in-memory store, and the draft in which a transaction changes them.
 * Rows are never changed in place: a draft holds new ones, and publishing it is what a commit is to a database.
 */
import type {
  Entry,
  Hint,
  Message,
  Outcome,
  RetryState,
  RunRecord,
  WorkerRecord,
  WorkflowRef,
} from "../../store.ts";

export interface RunRow {
  /** Order of insertion: breaks ties between runs of one millisecond. */
  readonly no: number;
  readonly run: RunRecord;
  readonly inputHash: string;
  /** While owned: the bodies of the run have their worker's process to themselves. */
  readonly alone: boolean;
  readonly journal: readonly Entry[];
  readonly messages: readonly MessageRow[];
  readonly retries: ReadonlyMap<string, RetryState>;
}

export interface MessageRow extends Message {
  /** Seq of the entry that consumed it; null while it waits. */
  readonly consumedBy: number | null;
}

export interface WorkerRow extends WorkerRecord {
  readonly leaseMs: number;
  /** Number of the last batch applied, and what was answered to it. */
  readonly batch: number;
  readonly outcomes: readonly Outcome[];
}

/** What survives: shared by all store objects on the same data. */
export interface MemoryData {
  readonly runs: Map<string, RunRow>;
  /** Those of `runs` that have not ended: all that claims, renewals and takeovers look at. */
  readonly live: Map<string, RunRow>;
  readonly workers: Map<number, WorkerRow>;
  readonly listeners: Set<(hint: Hint) => void>;
}

export function emptyData(): MemoryData {
  return { runs: new Map(), live: new Map(), workers: new Map(), listeners: new Set() };
}

/** One transaction: sees its own writes; nobody else does before `publish`. */
export class Draft {
  readonly #data: MemoryData;
  readonly #runs = new Map<string, RunRow>();
  readonly #workers = new Map<number, WorkerRow>();

  constructor(data: MemoryData) {
    this.#data = data;
  }

  run(id: string): RunRow | undefined {
    return this.#runs.get(id) ?? this.#data.runs.get(id);
  }

  worker(id: number): WorkerRow | undefined {
    return this.#workers.get(id) ?? this.#data.workers.get(id);
  }

  insert(row: Omit<RunRow, "no">): void {
    const added = [...this.#runs.keys()].filter((id) => !this.#data.runs.has(id)).length;
    this.put({ ...row, no: this.#data.runs.size + added + 1 });
  }

  put(row: RunRow): void {
    this.#runs.set(row.run.id, row);
  }

  /** Replaces columns of the run's row. */
  set(row: RunRow, columns: Partial<RunRecord>, others: Partial<Omit<RunRow, "run" | "no">> = {}): void {
    this.put({ ...row, ...others, run: { ...row.run, ...columns } });
  }

  putWorker(worker: WorkerRow): void {
    this.#workers.set(worker.id, worker);
  }

  liveRuns(): readonly RunRow[] {
    const old = [...this.#data.live.values()].map((row) => this.#runs.get(row.run.id) ?? row);
    const added = [...this.#runs.values()].filter((row) => !this.#data.runs.has(row.run.id));
    return [...old, ...added].filter((row) => row.run.end === null);
  }

  workers(): readonly WorkerRow[] {
    return [...new Map([...this.#data.workers, ...this.#workers]).values()];
  }

  /** Commits. Answers the runs that somebody may wait for. */
  publish(): readonly string[] {
    const noteworthy = [...this.#runs.values()]
      .filter((row) => isNoteworthy(this.#data.runs.get(row.run.id)?.run, row.run))
      .map((row) => row.run.id);
    for (const [id, row] of this.#runs) {
      this.#data.runs.set(id, row);
      if (row.run.end === null) this.#data.live.set(id, row);
      else this.#data.live.delete(id);
    }
    for (const [id, worker] of this.#workers) this.#data.workers.set(id, worker);
    return noteworthy;
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

/** The columns of a run that nobody owns and that is to be claimed at `dueAt`. */
export function freed(dueAt: number | null): Pick<RunRecord, "owner" | "dueAt" | "waits"> {
  return { owner: null, dueAt, waits: [] };
}

/** Whether the worker has the code of the run. */
export function canRun(workflows: readonly WorkflowRef[], run: RunRecord): boolean {
  return workflows.some(({ name, version }) => name === run.workflow && version === run.version);
}
