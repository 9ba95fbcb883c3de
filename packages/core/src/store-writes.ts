/** Every change of the store as a value: what is written, in batches, and how each write is answered. */
import type {
  EndStatus,
  Entry,
  Message,
  NewEntry,
  Phase,
  RetryState,
  RunRecord,
  RunStatus,
  StuckNote,
  WaitNote,
} from "./store.ts";

/** A run to be. The id of a purged run is taken for 90 days more. */
export interface NewRun {
  readonly id: string;
  readonly workflow: string;
  /**
   * Null where only the name is known: its current version (see `WorkflowRecord`), with the timeout and, unless it is given here, the
   * priority that its workers told of; version 1 without a timeout when no worker ever told of it.
   */
  readonly version: string | null;
  readonly input: string;
  /** Digest of the plain input: the same id with another one is a conflict. */
  readonly inputHash: string;
  /** Null: that which the workers told of (0 when none did), for a run by name only. */
  readonly priority: number | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly timeoutMs: number | null;
  /** The input was not validated by its sender. */
  readonly raw?: boolean;
  /** Now when absent. `inMs` counts from the store's now. */
  readonly due?: { readonly inMs: number } | { readonly at: number };
}

export interface StartWrite {
  readonly kind: "start";
  readonly run: NewRun;
  /** The run is born owned by the batch's lease under attempt 1 (only without `due`, with a version, and unless its workflow is paused). */
  readonly claim: boolean;
}

/** An event, for every workflow whose current version listens to its name. */
export interface NewEvent {
  readonly name: string;
  /** The sender's idempotency key: the same name and id is the same event, for as long as it is remembered (90 days). */
  readonly id: string;
  /** Encoded for the run id `codecId`, which becomes the `event` of the runs: nobody knows their ids beforehand. */
  readonly payload: string;
  readonly codecId: string;
  /** Digest of the plain payload. */
  readonly payloadHash: string;
  /** Each run's id is this followed by the name of its workflow. */
  readonly runPrefix: string;
}

/**
 * Starts one run per listening workflow, with the payload as its raw input and `payloadHash` as its digest (S13). Answered "emitted", also
 * when no workflow listens. A run whose id is taken already is left as it is, and is none of the `runs` of the answer.
 */
export interface EmitWrite {
  readonly kind: "emit";
  readonly event: NewEvent;
}

/**
 * What an owner's entries send out (S11). When it is refused, the entry `seq` of this write is stored with the reason as its `error`, in
 * plain text (its `value` stays), and all else of the write is done: `conflict <workflow>` (of an event: `conflict`), `not-found`,
 * `ended <status>`, `refused <reason>`. What was there already (an equal run, a seen message or event id) is no refusal.
 */
export type Send =
  /**
   * The run's parent is the sender, under `key`; that of a run which was there already stays. `awaited`: its end is told to the sender under
   * this key (S12), at once if it has ended; `not-found` if it was purged.
   */
  | {
      readonly kind: "start";
      readonly seq: number;
      readonly run: NewRun;
      readonly key: string;
      readonly awaited: boolean;
    }
  | {
      readonly kind: "message";
      /** Null: nobody asks what became of it. */
      readonly seq: number | null;
      readonly runId: string;
      readonly message: NewMessage;
    }
  | { readonly kind: "emit"; readonly seq: number; readonly event: NewEvent };

/** An event for the outbox. */
export interface OutboxEvent {
  readonly id: string;
  readonly text: string;
}

/** All that the owner of a run changes, in one write: fenced by worker and attempt. */
export interface AdvanceWrite {
  readonly kind: "advance";
  readonly runId: string;
  readonly attempt: number;
  readonly entries: readonly NewEntry[];
  /** Messages that these entries consume: [message no, seq of the entry]. */
  readonly consume?: readonly (readonly [no: number, seq: number])[];
  /** Rows to insert or replace. */
  readonly retries?: readonly RetryState[];
  /** Keys whose retry rows are no longer needed. */
  readonly settled?: readonly string[];
  /**
   * In this order, after the entries and before `then`; done also when the run is not parked. Never together with `then`, but for messages
   * with `seq` null.
   */
  readonly sends?: readonly Send[];
  readonly outbox?: readonly OutboxEvent[];
  /** Merged into the run's tags. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly phase?: Phase;
  /** Forget `strikes` and `strikesAlone`: the run made progress. */
  readonly progressed?: true;
  /** From now on, while true, the run's bodies have this worker's process to themselves. */
  readonly alone?: boolean;
  readonly then?: Then;
}

/** How the owner lets go of the run, in the same transaction as its last entries. */
export type Then =
  /** Refused ("inbox-changed", entries kept, still owned) when messages arrived beyond `inbox`. Clears `interrupted`. */
  | {
      readonly do: "park";
      readonly dueAt: number | null;
      readonly inbox: number;
      readonly waits: readonly WaitNote[];
    }
  /** Due now, no strike. Clears `interrupted`, or sets it: a body of the run may have been cut off. */
  | { readonly do: "release"; readonly interrupted?: boolean }
  | { readonly do: "stick"; readonly stuck: StuckNote }
  /**
   * Ends a pause. Tells all who wait for it (S12), in the order in which they began to; of those, one that has ended itself is told when it
   * is mended to go on.
   */
  | {
      readonly do: "end";
      readonly status: EndStatus;
      readonly result?: string | undefined;
      readonly error?: string | undefined;
    };

/** A signal leaves a stuck or paused run where it is, as a `child` does; a cancel does not: it ends the pause, too. */
export type NewMessage = Pick<Message, "id" | "name" | "payload"> & { readonly type: "signal" | "cancel" };

export interface MessageWrite {
  readonly kind: "message";
  readonly runId: string;
  readonly message: NewMessage;
}

/**
 * An operator's wish.
 *
 * `resume`: a stuck run becomes due; its strikes are forgotten and `interrupted` is cleared, rows that need a person start anew (failures
 * 0, first tried and due now) but stay in doubt. A paused run is so no more, and is due (one that was never claimed: when it was before);
 * if it is not stuck as well, strikes, rows and `interrupted` stay.
 * "wrong-state" for any other run.
 *
 * `pause`: the run is not claimed from now on. A paused one is left as it is: "done". "wrong-state" for a run that has ended or is stuck.
 *
 * An entry of the journal says who and why: at once when nobody owns the run; else its owner finds a message of type `operator`, with
 * this id, the operation as its name and `value` as its payload.
 */
export interface OperateWrite {
  readonly kind: "operate";
  readonly runId: string;
  readonly operation: "resume" | "pause";
  /**
   * Unique per run, for both operations: the operator's idempotency key, and the key of its entry. The same one again is "done", and changes
   * nothing.
   */
  readonly id: string;
  /** Encoded: who and why; becomes an entry of the journal. */
  readonly value: string;
}

/**
 * A person's change of a run that nobody owns, decided on what was read of it (S14): "changed" unless its attempt and the number of its
 * entries are still these, and nobody owns it. `interrupted` is cleared and its strikes are forgotten.
 */
export interface MendWrite {
  readonly kind: "mend";
  readonly runId: string;
  readonly attempt: number;
  /** How many entries the run had. */
  readonly length: number;
  /**
   * The first one says who, what and why, and its key is the operation's id: a run that has an entry of its kind and key answers "done", and
   * changes nothing. Entries that do not continue the journal are "refused".
   */
  readonly entries: readonly [NewEntry, ...NewEntry[]];
  /** Rows to insert or replace. */
  readonly retries?: readonly RetryState[];
  /** Keys whose retry rows are no longer needed; `"all"`: none is. Forgotten before `retries` are written. */
  readonly settled?: readonly string[] | "all";
  /** From now on the run is one of this version. */
  readonly version?: string;
  /** An ended run goes on: what it ended with is forgotten. Without it, an ended run answers "changed". */
  readonly phase?: "forward";
  /** `due`: stuck or paused no more, and due now. `stay`: as it is. */
  readonly then: "due" | "stay";
}

/** A workflow's runs are not claimed until `note` is null again. One that is paused already is left as it is. Always "done". */
export interface PauseWorkflowWrite {
  readonly kind: "pause-workflow";
  readonly workflow: string;
  /** Encoded: who and why. */
  readonly note: string | null;
}

/**
 * Forgets an ended run and all runs that it called (and what those called); their ids stay taken for 90 days. "wrong-state", with the
 * run's status, unless all of them have ended; also for a run that was called by one which is still there and has not ended. Each such
 * write, whatever its answer, forgets up to 1,000 ids and up to 1,000 events that are older than 90 days.
 */
export interface PurgeWrite {
  readonly kind: "purge";
  readonly runId: string;
}

/**
 * A run as it was elsewhere, or a fork of one here. "done"; "conflict" when the id is taken, whatever by; "refused" when its journal has
 * gaps. One that has not ended is owned by nobody, and due unless it is stuck or paused. `awaits`: what it has called and not heard of: it
 * waits for those of them that exist here, and is told at once of those that have ended (S12).
 */
export interface ImportWrite {
  readonly kind: "import";
  readonly run: Omit<
    RunRecord,
    "owner" | "dueAt" | "inbox" | "waits" | "interrupted" | "strikes" | "strikesAlone"
  >;
  readonly inputHash: string;
  readonly journal: readonly Entry[];
  /** Not consumed yet; numbered anew, accepted when they were. */
  readonly messages: readonly Omit<Message, "no">[];
  readonly retries: readonly RetryState[];
  readonly awaits: readonly { readonly runId: string; readonly key: string }[];
}

/** These rows of the outbox have arrived where they were to go. "done", also for rows that are no longer there. */
export interface ShippedWrite {
  readonly kind: "shipped";
  readonly nos: readonly number[];
}

/** The batch's worker is gone for good: its runs become due, without a strike. */
export interface LeaveWrite {
  readonly kind: "leave";
}

export type Write =
  | StartWrite
  | EmitWrite
  | AdvanceWrite
  | MessageWrite
  | OperateWrite
  | MendWrite
  | PauseWorkflowWrite
  | PurgeWrite
  | ImportWrite
  | ShippedWrite
  | LeaveWrite;

export interface Batch<Tx = unknown> {
  readonly writes: readonly Write[];
  /** Needed by claiming starts, advances and leave. `batch` is 1 for the worker's first batch, then 2, 3 … */
  readonly lease?: { readonly worker: number; readonly batch: number };
  /** Write inside the caller's own open transaction; all is done synchronously where the driver is synchronous. */
  readonly tx?: Tx;
  /** Told the outcomes as soon as they are known: with a synchronous driver and `tx`, before `commit` returns its promise. */
  readonly onOutcomes?: (outcomes: readonly Outcome[]) => void;
}

/** The answer to one write, in the order of the batch. */
export type Outcome =
  | { readonly is: "done" }
  /** advance: done, but some of what it sent out was refused: with the reason that became the entry's `error`. */
  | { readonly is: "done"; readonly refused: readonly { readonly seq: number; readonly reason: string }[] }
  /** emit: ids of the runs that it started, now or (`again`) when it was emitted before. */
  | { readonly is: "emitted"; readonly runs: readonly string[]; readonly again: boolean }
  /** start: `claimed` says whether the batch's lease owns it now (never when that lease is gone). */
  | { readonly is: "created"; readonly createdAt: number; readonly claimed: boolean }
  /** start: the id is taken, by the same workflow and input. */
  | { readonly is: "exists" }
  /** start, import: the id is taken by something else, a run of this workflow; emit: the id was used with another payload (then `""`). */
  | { readonly is: "conflict"; readonly workflow: string }
  /** message: the id was seen before. */
  | { readonly is: "duplicate" }
  | { readonly is: "not-found" }
  /** message: the run has ended. */
  | { readonly is: "ended"; readonly status: EndStatus }
  /** operate, purge: the run is not in a state for it. */
  | { readonly is: "wrong-state"; readonly status: RunStatus }
  /** mend: the run is not as it was read. */
  | { readonly is: "changed"; readonly status: RunStatus }
  /** advance: entries are written, but the run was not parked. */
  | { readonly is: "inbox-changed" }
  /** The lease or the claim is gone: nothing of this write happened, nor will. */
  | { readonly is: "fenced" }
  /** The store can't hold this write's data: nothing of it happened. */
  | { readonly is: "refused"; readonly reason: string };
