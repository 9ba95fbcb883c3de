import type {
  EndStatus,
  Entry,
  EntryKind,
  Message,
  PauseNote,
  Phase,
  RetryState,
  RunRecord,
  StuckNote,
  WaitNote,
  WorkerRecord,
  WorkflowRef,
} from "@everstep/core";

/** How rows become what the port hands out. What is NULL in a row is absent or null there, as the port says. */
export interface RunRow {
  readonly no: number;
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly phase: Phase;
  readonly ended: EndStatus | null;
  readonly owner: number | null;
  readonly attempt: number;
  readonly due_at: number | null;
  readonly stuck: string | null;
  /** A `PauseNote`; of a start whose time was to come, with the time: `dueAt`. */
  readonly paused: string | null;
  /** Null for a run that was simply started by a client. */
  readonly origin: string | null;
  readonly priority: number;
  /** Pairs, since SQLite's JSON objects cut names at a NUL. */
  readonly tags: string;
  readonly input: string;
  readonly result: string | null;
  readonly error: string | null;
  readonly inbox: number;
  /** How many entries its journal has. */
  readonly entries: number;
  readonly last_entry: number | null;
  readonly strikes: number;
  readonly strikes_alone: number;
  readonly interrupted: number;
  readonly waits: string | null;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly timeout_ms: number | null;
}

/** The columns of a `RunRow`, from `everstep_runs r`. */
export const RUN_COLUMNS: string = `
  r.no, r.id, r.workflow, r.version, r.phase, r.ended, r.owner, r.attempt, r.due_at, r.stuck, r.paused, r.priority,
  (SELECT json_array(g.parent, g.key, g.called, g.event, g.raw) FROM everstep_origins g WHERE g.run = r.no) AS origin,
  (SELECT json_group_array(json_array(t.name, t.value)) FROM everstep_tags t WHERE t.run = r.no) AS tags,
  (SELECT i.input FROM everstep_inputs i WHERE i.run = r.no) AS input,
  (SELECT o.result FROM everstep_results o WHERE o.run = r.no) AS result,
  (SELECT o.error FROM everstep_results o WHERE o.run = r.no) AS error,
  r.inbox, r.entries, r.last_entry, r.strikes, r.strikes_alone, r.interrupted, r.waits, r.created_at, r.started_at, r.ended_at, r.timeout_ms`;

export function toRun(row: RunRow): RunRecord {
  return {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    ...(row.origin === null ? NO_ORIGIN : toOrigin(row.origin)),
    phase: row.phase,
    end: row.ended,
    owner: row.owner,
    attempt: row.attempt,
    dueAt: row.due_at,
    stuck: row.stuck === null ? null : (JSON.parse(row.stuck) as StuckNote),
    paused: row.paused === null ? null : toPause(row.paused),
    priority: row.priority,
    tags: row.tags === "[]" ? {} : Object.fromEntries(JSON.parse(row.tags) as readonly [string, string][]),
    input: row.input,
    result: row.result,
    error: row.error,
    inbox: row.inbox,
    strikes: row.strikes,
    strikesAlone: row.strikes_alone,
    interrupted: row.interrupted === 1,
    waits: row.waits === null ? [] : (JSON.parse(row.waits) as readonly WaitNote[]),
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    timeoutMs: row.timeout_ms,
  };
}

type Origin = Pick<RunRecord, "parent" | "event" | "raw">;

const NO_ORIGIN: Origin = { parent: null, event: null, raw: false };

function toOrigin(text: string): Origin {
  const [runId, key, called, event, raw] = JSON.parse(text) as OriginRow;
  const parent = runId === null || key === null ? null : { runId, key, called: called === 1 };
  return { parent, event, raw: raw === 1 };
}

type OriginRow = [
  parent: string | null,
  key: string | null,
  called: number,
  event: string | null,
  raw: number,
];

function toPause(text: string): PauseNote {
  const { at, note } = JSON.parse(text) as PauseNote;
  return { at, note };
}

export interface EntryRow {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly key: string;
  readonly at: number;
  readonly attempt: number;
  readonly value: string | null;
  readonly error: string | null;
}

export const ENTRY_COLUMNS: string = "j.seq, j.kind, j.key, j.at, j.attempt, j.value, j.error";

export function toEntry({ seq, kind, key, at, attempt, value, error }: EntryRow): Entry {
  if (error !== null)
    return value === null
      ? { seq, kind, key, at, attempt, error }
      : { seq, kind, key, at, attempt, value, error };
  return value === null ? { seq, kind, key, at, attempt } : { seq, kind, key, at, attempt, value };
}

/** A message's columns have the names of its fields. */
export const MESSAGE_COLUMNS: string = "no, type, id, name, payload, at";

export type MessageRow = Message;

export interface RetryRow {
  readonly key: string;
  readonly failures: number;
  readonly first_at: number;
  readonly next_at: number | null;
  readonly error: string | null;
  readonly in_doubt: number;
}

export const RETRY_COLUMNS: string = "key, failures, first_at, next_at, error, in_doubt";

export function toRetry(row: RetryRow): RetryState {
  return {
    key: row.key,
    failures: row.failures,
    firstAt: row.first_at,
    nextAt: row.next_at,
    inDoubt: row.in_doubt === 1,
    ...(row.error === null ? {} : { error: row.error }),
  };
}

export interface WorkerRow {
  readonly id: number;
  readonly live: number;
  readonly expires_at: number;
  readonly host: string;
  readonly pid: number;
  readonly workflows: string;
}

export const WORKER_COLUMNS: string = "id, live, expires_at, host, pid, workflows";

export function toWorker(row: WorkerRow): WorkerRecord {
  return {
    id: row.id,
    live: row.live === 1,
    expiresAt: row.expires_at,
    host: row.host,
    pid: row.pid,
    workflows: JSON.parse(row.workflows) as readonly WorkflowRef[],
  };
}
