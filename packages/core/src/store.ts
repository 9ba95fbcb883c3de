/**
 * The port to durability: the only door through which everstep reads or changes what survives a crash.
 *
 * Owns: the shapes of runs, journal entries, messages and leases, and what each method must guarantee.
 * Does not own: any rule of the engine. A store never looks into a value, never decides that a run retries or sticks.
 *
 * Invariants every implementation keeps (the conformance suite of `@everstep/core/testing` defends each by its number):
 *
 * S1  `commit` is one transaction, durable when it settles; a refused write never sinks another one of its batch.
 * S2  A batch number is applied at most once; the same batch sent again changes nothing and answers the same.
 * S3  Writes of a lease that was taken over are refused ("fenced"), also when they arrive late.
 * S4  Entries are appended only by the owner of the run under the attempt it claimed; seqs are gapless.
 * S5  A run has one owner; every claim makes a new, greater attempt. Worker ids are never reused.
 * S6  A run is parked only if its inbox is as its owner last saw it; a message makes a parked run due in its own transaction.
 * S7  A message id is accepted once per run, also after it was consumed; an ended run accepts no new message.
 * S8  An ended run never changes but by an operator.
 * S9  Time is the store's clock, in milliseconds since the epoch.
 * S10 Hints may be late, repeated or lost: nothing but latency depends on them.
 * S11 What a run sends out (children, events, signals) is done in the transaction of the entries that say so, or not at all.
 * S12 A run's end puts its outcome into the inbox of every run that waits for it, in the same transaction; once each.
 * S13 An event starts one run of each workflow that listens when it is committed; the same event id never starts another one.
 * S14 What a person decided on a run that was read is written only if nothing has become of the run since.
 */

import type {
  Figures,
  FiguresSpan,
  Finding,
  Page,
  PageRequest,
  RunFilter,
  WorkerLoad,
} from "./store-looks.ts";
import type { Batch, Outcome, OutboxEvent } from "./store-writes.ts";

export type * from "./store-looks.ts";
export type * from "./store-writes.ts";

/** Where a run is in its life; with `owner`, `dueAt` and `stuck` it gives the status that people see. */
export type Phase = "forward" | "closing" | "compensating" | "done";
export type EndStatus = "completed" | "failed" | "canceled";

/** The status of a run as people see it; derived, never stored. */
export type RunStatus = "ready" | "running" | "waiting" | "compensating" | "stuck" | EndStatus;

/** Kinds of journal entries. */
export type EntryKind =
  /** Settlements, the final outcome of one ask: */
  | "step"
  | "timer"
  | "signal"
  | "child"
  | "pivot"
  | "undo"
  /** Settlements with what they send out, in the same transaction (S11): a detached run, an event, a signal. */
  | "start"
  | "emit"
  | "send"
  /** A child was started, or given up: with what that sends out. */
  | "call"
  | "drop"
  /** What else the code did: */
  | "started"
  | "patched"
  | "input"
  | "cancel"
  | "unwinding"
  | "end"
  /** What a person did. The key is the operation's id, the value says who, when and why. */
  | "resume"
  | "pause"
  | "resolve"
  | "reset"
  | "move"
  | "fork";

/** A journal entry to be appended. `value` and `error` are encoded text; an entry with `error` rejects its ask. */
export interface NewEntry {
  /** Position in the run's journal: 1, 2, 3 … without gaps. */
  readonly seq: number;
  readonly kind: EntryKind;
  /** The key of the ask that it settles, or what the kind says; `""` when there is none. */
  readonly key: string;
  /** When it was queued, by the store's clock as its worker knows it; never decreasing within a run. */
  readonly at: number;
  readonly value?: string | undefined;
  readonly error?: string | undefined;
}

/** A journal entry as stored: with the attempt of the run that wrote it. */
export interface Entry extends NewEntry {
  readonly attempt: number;
}

/** The one mutable row of a step that has not settled yet: what its failed attempts left behind. */
export interface RetryState {
  readonly key: string;
  /** Failed attempts of the body; interruptions do not count. */
  readonly failures: number;
  /** When its first attempt began: `maxElapsed` counts from here. */
  readonly firstAt: number;
  /** When the next attempt is due; null when it needs a person. */
  readonly nextAt: number | null;
  /** Encoded error of the last failed attempt. */
  readonly error?: string;
  /** True when an attempt was interrupted or timed out: nobody knows whether its effect happened. */
  readonly inDoubt: boolean;
}

/** What a parked run waits for; shown by `why`, read by nobody else. */
export interface WaitNote {
  readonly kind: "timer" | "signal" | "retry" | "child";
  readonly key: string;
  readonly until: number | null;
}

/** Why a run needs a person. */
export interface StuckNote {
  /** Stable, e.g. `DIVERGED`. */
  readonly code: string;
  /** What happened, to which step, and what to do next. Encoded like an error: it may quote payloads. */
  readonly message: string;
  readonly key?: string;
  readonly at: number;
}

/** Since when a run or a workflow is paused, and by whom. */
export interface PauseNote {
  readonly at: number;
  /** Encoded: who and why. */
  readonly note: string;
}

export interface RunRecord {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  /** The run that started it, and under which of its keys; `called`: the parent waited for it from the beginning. Null for all others. */
  readonly parent: { readonly runId: string; readonly key: string; readonly called: boolean } | null;
  /** What its input was encoded for when an event started it (see `EventWrite`); null for all others. */
  readonly event: string | null;
  /** Its input is as it was sent, for the sender did not have the workflow's code: it is validated when the run begins. */
  readonly raw: boolean;
  readonly phase: Phase;
  /** Set when `phase` is `done`. */
  readonly end: EndStatus | null;
  /** The worker that owns the run; null when nobody does. */
  readonly owner: number | null;
  /** Grows by one with every claim; 0 before the first. The fence of the run. */
  readonly attempt: number;
  /** When the run is to be claimed; null when only a message or a person can move it. */
  readonly dueAt: number | null;
  readonly stuck: StuckNote | null;
  /** Not to be claimed until a person resumes it. Its owner, if it has one, is told by a message. */
  readonly paused: PauseNote | null;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  /** Encoded. */
  readonly input: string;
  readonly result: string | null;
  readonly error: string | null;
  /** How many messages the run has ever been sent. */
  readonly inbox: number;
  /** Workers that died while they owned the run, since it last made progress. */
  readonly strikes: number;
  /** Those of them that died while this run's bodies had their process to themselves. */
  readonly strikesAlone: number;
  /** True from a worker's death until the run is let go in order: bodies may have been interrupted. */
  readonly interrupted: boolean;
  readonly waits: readonly WaitNote[];
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly timeoutMs: number | null;
}

export interface Message {
  /** Grows within a run. */
  readonly no: number;
  /** `child`: a run ended that this one waits for. `operator`: a person changed the run while it was owned. */
  readonly type: "signal" | "cancel" | "child" | "operator";
  /** Unique per run and type: the sender's idempotency key. Of a `child`, the id of the run that ended, once for each wait. */
  readonly id: string;
  /** The signal's name; the key under which a child is waited for; `pause` or `resume` of an operator; `""` for a cancel. */
  readonly name: string;
  /** Encoded; of a `child`, the JSON of a `ChildEnd`. */
  readonly payload: string;
  /** When the store accepted it. */
  readonly at: number;
}

/** What a run came to, for whoever waits for it. Result and error are encoded, for the run that ended. */
export interface ChildEnd {
  readonly status: EndStatus;
  readonly result?: string;
  readonly error?: string;
}

export interface WorkerRecord {
  readonly id: number;
  readonly live: boolean;
  readonly expiresAt: number;
  readonly host: string;
  readonly pid: number;
  readonly workflows: readonly WorkflowRef[];
}

export interface WorkflowRef {
  readonly name: string;
  readonly version: string;
}

/** What the store is told of a workflow by the workers that have it: enough to start runs of it without its code. */
export interface WorkflowSpec extends WorkflowRef {
  /** The event that starts runs of it. */
  readonly on: string | null;
  readonly priority: number;
  readonly timeoutMs: number | null;
}

/**
 * A workflow's version that some worker had, ever. Where only the name is given, its current version is meant: of those that a live worker
 * has until its lease is over (of all, when there is none) the one first told of last. Only the current version listens to events.
 */
export interface WorkflowRecord extends WorkflowSpec {
  /** When it was told of for the first time. */
  readonly since: number;
  readonly current: boolean;
  readonly liveWorkers: number;
  /** Its runs are not claimed until a person resumes it. The same for all its versions. */
  readonly paused: PauseNote | null;
}

/** An event that was emitted. */
export interface EventRecord {
  readonly name: string;
  readonly id: string;
  readonly at: number;
  /** How many runs it started; 0 when no workflow listened. */
  readonly runs: number;
}

export interface ClaimRequest {
  readonly worker: number;
  /** At most so many runs; 0 asks for messages only. */
  readonly limit: number;
  readonly workflows: readonly WorkflowRef[];
  /** Runs not to claim: an old body of theirs still runs here. */
  readonly except: readonly string[];
  /** Runs that the worker holds and whose messages beyond `after` it wants. */
  readonly inboxes: readonly { readonly runId: string; readonly after: number }[];
}

export interface Claim {
  readonly run: RunRecord;
  readonly journal: readonly Entry[];
  /** Not consumed yet, in order. */
  readonly messages: readonly Message[];
  readonly retries: readonly RetryState[];
}

export interface ClaimResult {
  readonly now: number;
  readonly claims: readonly Claim[];
  readonly inboxes: readonly {
    readonly runId: string;
    readonly inbox: number;
    readonly messages: readonly Message[];
  }[];
  /** When the next run of these workflows is due that was not claimed now (in the past when `limit` was met); null: none. */
  readonly nextDueAt: number | null;
  /** Those of the workflows, by name, that are paused: none of their runs was claimed, and `nextDueAt` does not count them. */
  readonly paused: readonly string[];
}

export interface JoinRequest {
  /** Told of in this order to whoever starts runs by name or emits events; replaces what was told of the same versions before. */
  readonly workflows: readonly WorkflowSpec[];
  readonly leaseMs: number;
  readonly host: string;
  readonly pid: number;
}

export interface Lease {
  readonly worker: number;
  readonly now: number;
  readonly expiresAt: number;
}

export interface Renewal {
  /** False: the lease was taken over; the worker may write nothing and must join again. */
  readonly live: boolean;
  readonly now: number;
  readonly expiresAt: number;
  /** All runs that the store says this worker owns; null when it was not looked up this time. */
  readonly owned:
    | readonly { readonly runId: string; readonly attempt: number; readonly inbox: number }[]
    | null;
  /** How many dead workers this call took over. */
  readonly reaped: number;
}

/** One run with all that belongs to it, from one snapshot. */
export interface RunDetails extends Claim {
  readonly now: number;
  readonly owner: WorkerRecord | null;
  /** How many live workers have the run's workflow in its version. */
  readonly capable: number;
  readonly workflowPaused: PauseNote | null;
}

/** An event of a run or a step for the world outside, stored in the transaction that it tells of. */
export interface OutboxRow {
  /** Grows; rows of one run are taken in the order in which they were written. */
  readonly no: number;
  /** The event's own id: whoever gets it twice knows it by this. */
  readonly id: string;
  readonly text: string;
}

/** What a watcher wants to hear of: what may be due or has a message, or what ended or is stuck. */
export type Interest = "work" | "ends";

/** "Something may be due or have changed": which runs, when it is known. */
export interface Hint {
  readonly runIds?: readonly string[];
}

/** Inside `transact`, when the caller's function succeeded: the entry that records its result. */
export interface TransactRequest<Tx, T> {
  readonly worker: number;
  readonly runId: string;
  readonly attempt: number;
  /** The caller's SQL. */
  readonly body: (tx: Tx) => T | Promise<T>;
  /** Called with the body's result, once, before the commit. Throwing rolls back. */
  readonly settle: (value: T) => {
    readonly entry: NewEntry;
    readonly settled: readonly string[];
    readonly outbox?: readonly OutboxEvent[];
  };
}

/**
 * What everstep needs of a database. Methods reject only for outages (`StoreUnavailableError`), a store that can't be
 * used (`StoreError`), or a broken promise of the caller; an answer about one write is an `Outcome`.
 */
export interface Store<Tx = unknown> {
  /** Applies all writes in one transaction; durable when it settles (S1, S2, S3). */
  commit(batch: Batch<Tx>): Promise<readonly Outcome[]>;
  /**
   * The caller's SQL and one journal entry in one transaction (S1, S3, S4). Answers "done" or "fenced"; rejects with what the
   * body threw, with nothing kept. The body may run more than once where the database may refuse a serialization.
   */
  transact<T>(request: TransactRequest<Tx, T>): Promise<{ readonly is: "done" } | { readonly is: "fenced" }>;
  /** Takes due runs, highest priority first, then longest due, with all they need to go on; and new messages of held runs. */
  claim(request: ClaimRequest): Promise<ClaimResult>;
  /** A new worker with a new id. */
  join(request: JoinRequest): Promise<Lease>;
  /**
   * To be called about twice a second. Extends the lease when a good part of it is used up, and takes over the runs of
   * workers that are dead: each gets a strike and is due.
   */
  renew(lease: Lease): Promise<Renewal>;
  read(runId: string): Promise<RunDetails | undefined>;
  list(filter: RunFilter, page: PageRequest): Promise<Page>;
  count(filter: RunFilter): Promise<number>;
  /** Every version of every workflow that the store was told of, by name, then in the order in which they were told of. */
  workflows(): Promise<readonly WorkflowRecord[]>;
  /** Those that nobody has taken over, by id. */
  workers(): Promise<readonly WorkerLoad[]>;
  /** Reads each live run, and of those that ended only what was created since then. */
  figures(span: FiguresSpan): Promise<Figures>;
  /** What can be seen of the database itself: its settings, its size, what is in its way. Reads few pages of it. */
  examine(): Promise<readonly Finding[]>;
  /** Events of this name (of all names), newest first. */
  events(filter: { readonly name?: string; readonly limit: number }): Promise<readonly EventRecord[]>;
  /** The oldest rows of the outbox that nobody took within the last `forMs`: they are the caller's for so long, until it writes `shipped`. */
  takeOutbox(request: { readonly limit: number; readonly forMs: number }): Promise<readonly OutboxRow[]>;
  /**
   * Calls back on hints of this and, where the database can tell, other processes (S10): of all, or at least of what is due or has
   * a message ("work"), or of what ended or is stuck ("ends"). Returns the way to stop.
   */
  watch(listener: (hint: Hint) => void, interest?: Interest): () => void;
  close(): Promise<void>;
}
