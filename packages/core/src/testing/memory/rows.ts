/** The rows of the in-memory store. They are never changed in place: a draft holds new ones (see `draft.ts`). */
import type {
  Entry,
  EventRecord,
  Hint,
  Message,
  Outcome,
  OutboxRow,
  PauseNote,
  RetryState,
  RunRecord,
  WorkerRecord,
  WorkflowRef,
  WorkflowSpec,
} from "../../store.ts";

export interface RunRow {
  /** Order of insertion: breaks ties between runs of one millisecond. */
  readonly no: number;
  readonly run: RunRecord;
  readonly inputHash: string;
  /** While owned: the bodies of the run have their worker's process to themselves. */
  readonly alone: boolean;
  /** While paused before its first claim: when it was to be claimed. */
  readonly heldDueAt: number | null;
  readonly journal: readonly Entry[];
  /** All that were ever accepted: number 1 first, without gaps. */
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

export interface WorkflowRow extends WorkflowSpec {
  /** Grows in the order in which versions were told of for the first time. */
  readonly no: number;
  readonly since: number;
}

export interface EventRow extends Omit<EventRecord, "runs"> {
  readonly no: number;
  readonly payloadHash: string;
  readonly runs: readonly string[];
}

/** What is remembered of a run that was purged. */
export interface PurgedRow {
  readonly id: string;
  readonly workflow: string;
  readonly inputHash: string;
  readonly at: number;
}

/** A run that is to be told of the end of another one, under one of its keys. */
export interface Waiter {
  /** Grows in the order in which they began to wait. */
  readonly no: number;
  readonly runId: string;
  readonly key: string;
}

export interface OutboxEntry extends OutboxRow {
  /** Until then it is the caller's who took it last. */
  readonly takenUntil: number;
}

/** What survives: shared by all store objects on the same data. */
export interface MemoryData {
  /** The last number given to a run, a workflow or an event; none is given twice. */
  lastNo: number;
  lastOutboxNo: number;
  readonly runs: Map<string, RunRow>;
  /** Those of `runs` that have not ended: all that claims, renewals and takeovers look at. */
  readonly live: Map<string, RunRow>;
  readonly workers: Map<number, WorkerRow>;
  /** By name and version. */
  readonly workflows: Map<string, WorkflowRow>;
  /** Paused workflows by name. */
  readonly pauses: Map<string, PauseNote>;
  /** By name and id. */
  readonly events: Map<string, EventRow>;
  readonly purged: Map<string, PurgedRow>;
  /** By the id of the run whose end they wait for. */
  readonly waiters: Map<string, readonly Waiter[]>;
  readonly outbox: Map<number, OutboxEntry>;
  readonly listeners: Set<(hint: Hint) => void>;
}

export function emptyData(): MemoryData {
  return {
    lastNo: 0,
    lastOutboxNo: 0,
    runs: new Map(),
    live: new Map(),
    workers: new Map(),
    workflows: new Map(),
    pauses: new Map(),
    events: new Map(),
    purged: new Map(),
    waiters: new Map(),
    outbox: new Map(),
    listeners: new Set(),
  };
}

/** One key of two texts, whatever is in them. */
export const pairKey = (a: string, b: string): string => JSON.stringify([a, b]);

type Freed = Pick<RunRecord, "owner" | "dueAt" | "waits">;

/** The columns of a run that nobody owns and that is to be claimed at `dueAt`: never, while it is paused. */
export function freed({ paused }: Pick<RunRecord, "paused">, dueAt: number | null): Freed {
  return { owner: null, dueAt: paused === null ? dueAt : null, waits: [] };
}

/** Whether the worker has the code of the run. */
export function canRun(workflows: readonly WorkflowRef[], run: RunRecord): boolean {
  return workflows.some(({ name, version }) => name === run.workflow && version === run.version);
}

/** Whether the worker counts as one that can take on runs. */
export const isCapable = ({ live, expiresAt }: WorkerRow, now: number): boolean => live && expiresAt > now;
