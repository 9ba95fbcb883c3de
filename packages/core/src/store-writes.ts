/** Every change of the store as a value: what is written, in batches, and how each write is answered. */
import type {
  EndStatus,
  Message,
  NewEntry,
  Phase,
  RetryState,
  RunStatus,
  StuckNote,
  WaitNote,
} from "./store.ts";

export interface StartWrite {
  readonly kind: "start";
  readonly run: {
    readonly id: string;
    readonly workflow: string;
    readonly version: string;
    readonly input: string;
    /** Digest of the plain input: the same id with another one is a conflict. */
    readonly inputHash: string;
    readonly priority: number;
    readonly tags: Readonly<Record<string, string>>;
    readonly timeoutMs: number | null;
    /** Now when absent. `inMs` counts from the store's now. */
    readonly due?: { readonly inMs: number } | { readonly at: number };
  };
  /** The run is born owned by the batch's lease under attempt 1 (only without `due`). */
  readonly claim: boolean;
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
  | {
      readonly do: "end";
      readonly status: EndStatus;
      readonly result?: string | undefined;
      readonly error?: string | undefined;
    };

export interface MessageWrite {
  readonly kind: "message";
  readonly runId: string;
  readonly message: Pick<Message, "type" | "id" | "name" | "payload">;
}

/**
 * An operator's wish. `resume`: a stuck run becomes due; its strikes are forgotten and `interrupted` is cleared, rows that need a
 * person start anew (failures 0, first tried and due now) but stay in doubt, and an entry of the journal says who and why.
 */
export interface OperateWrite {
  readonly kind: "operate";
  readonly runId: string;
  readonly operation: "resume";
  /** Unique per run: the operator's idempotency key, and the key of its entry. The same one again is "done", and changes nothing. */
  readonly id: string;
  /** Encoded: who and why; becomes an entry of the journal. */
  readonly value: string;
}

/** The batch's worker is gone for good: its runs become due, without a strike. */
export interface LeaveWrite {
  readonly kind: "leave";
}

export type Write = StartWrite | AdvanceWrite | MessageWrite | OperateWrite | LeaveWrite;

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
  /** start: `claimed` says whether the batch's lease owns it now (never when that lease is gone). */
  | { readonly is: "created"; readonly createdAt: number; readonly claimed: boolean }
  /** start: the id is taken, by the same workflow and input. */
  | { readonly is: "exists" }
  /** start: the id is taken by something else. */
  | { readonly is: "conflict"; readonly workflow: string }
  /** message: the id was seen before. */
  | { readonly is: "duplicate" }
  | { readonly is: "not-found" }
  /** message: the run has ended. */
  | { readonly is: "ended"; readonly status: EndStatus }
  /** operate: the run is not in a state for it. */
  | { readonly is: "wrong-state"; readonly status: RunStatus }
  /** advance: entries are written, but the run was not parked. */
  | { readonly is: "inbox-changed" }
  /** The lease or the claim is gone: nothing of this write happened, nor will. */
  | { readonly is: "fenced" }
  /** The store can't hold this write's data: nothing of it happened. */
  | { readonly is: "refused"; readonly reason: string };
