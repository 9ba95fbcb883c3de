import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Workflow } from "./definition.ts";

/** Milliseconds, or a number with a unit: `"250ms"`, `"30s"`, `"5m"`, `"2h"`, `"7d"`. */
export type Duration = number | string;

/** How a step is tried again. Without one: after 500 ms, then twice as long each time up to 60 s, full jitter, without end. */
export interface RetryPolicy {
  /** Failed attempts after which the step fails for good; default: never. 1 means a single attempt. */
  readonly maxAttempts?: number;
  /** Upper bound of the first wait; default 500 ms. Each wait is drawn between 0 and its bound. */
  readonly initialDelay?: Duration;
  /** The bound grows by this factor; default 2. */
  readonly factor?: number;
  /** The bound grows no further than this; default 60 s. */
  readonly maxDelay?: Duration;
  /** No attempt begins later than this after the first one began. */
  readonly maxElapsed?: Duration;
  /** What happens when the policy is used up: the step rejects with `StepFailedError` (default), or the run is stuck for a person. */
  readonly onExhausted?: "throw" | "stick";
}

export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a step's body gets. */
export interface StepContext {
  /** 1 for the first attempt; grows with each failed one. An interruption (a crash, a deploy) does not count. */
  readonly attempt: number;
  /** The same in every attempt of this step of this run: hand it to Stripe and the like. At most 255 characters. */
  readonly idempotencyKey: string;
  /** Aborted on timeout, cancel, shutdown, or when the worker lost the run. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** What is known of a step when it is compensated. */
export type StepOutcome<T> =
  | { readonly outcome: "completed"; readonly result: T }
  | { readonly outcome: "unknown" };

/** What an `inDoubt` function found out. */
export type DoubtResolution<T> = { readonly result: T } | { readonly error: unknown } | "rerun" | "stick";

export interface StepOptions<T> {
  /** Gives the step the identity `name[key]`: needed in loops and parallel maps whose order may change. */
  readonly key?: string;
  readonly retry?: RetryPolicy | false;
  /** Per attempt: aborts `step.signal`, and counts as a failure with unknown outcome. */
  readonly timeout?: Duration;
  /**
   * Undoes this step when the run fails or is canceled later. Registered durably before the body runs, so it is called also
   * when nobody knows whether the effect happened; not when the body threw `FatalError` with `happened: false`.
   */
  readonly compensate?: (done: StepOutcome<T>, step: StepContext) => unknown;
  /**
   * What to do when a worker died between this step's effect and its journal entry: run it again with the same idempotency
   * key (default), leave the run stuck for a person, or call a function that looks the effect up.
   */
  readonly inDoubt?: "rerun" | "stick" | ((step: StepContext) => Promise<DoubtResolution<T>>);
  /** The result is validated, and journaled as the schema's output. An invalid result fails the step for good. */
  readonly output?: StandardSchemaV1<unknown, T>;
  /** Older names of this step, oldest first. Its idempotency key stays that of the oldest. */
  readonly was?: readonly string[];
}

export interface UndoOptions {
  readonly retry?: RetryPolicy | false;
  readonly timeout?: Duration;
}

/** How another workflow is called, and what takes it back. */
export interface CallOptions<O = unknown> {
  /** What the call is journaled as; default: the workflow's name. */
  readonly name?: string;
  /** The child's id: a run that exists already, of the same workflow and input, is waited for instead of starting another one. */
  readonly id?: string;
  /** Undoes what the child did, when it completed and this run fails or is canceled later. A child that failed or was canceled has undone itself. */
  readonly compensate?: (done: StepOutcome<O>, step: StepContext) => unknown;
  /** Higher is claimed first; default: the child's workflow's. */
  readonly priority?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** Gives the call up: the child is canceled. */
  readonly signal?: AbortSignal;
}

export interface StartChildOptions {
  /** What the start is journaled as; default: the workflow's name. */
  readonly name?: string;
  readonly id?: string;
  /** Not to be executed before this long from now. */
  readonly delay?: Duration;
  readonly at?: Date;
  readonly priority?: number;
  readonly tags?: Readonly<Record<string, string>>;
}

/** A run that was started by another one. */
export interface RunRef {
  readonly id: string;
}

/** What a workflow's handler can do. Everything journaled takes its name first; the same name again is `name#2`, `name#3` … */
export interface Context {
  readonly run: {
    readonly id: string;
    readonly workflow: string;
    readonly version: string;
    readonly startedAt: Date;
  };
  /**
   * Runs `fn` and journals its result; once journaled, it is never run again. Whatever it throws is retried, but for
   * `FatalError`. Rejects with `StepFailedError` when it failed for good. The result is a decoded copy, also the first time.
   */
  step<T>(name: string, fn: (step: StepContext) => T | Promise<T>, options?: StepOptions<T>): Promise<T>;
  /** Registers an undo, to be called if the run fails or is canceled later. Call it before what it undoes. */
  compensate(name: string, undo: (step: StepContext) => unknown, options?: UndoOptions): void;
  /**
   * The point of no return: a later failure, cancel or timeout undoes only what comes after it. What the code sends out next (an event, a
   * start, a signal) commits together with it, when the code awaits nothing else before: nothing can come between the two.
   */
  pivot(name: string): Promise<void>;
  /** Sleeps durably: years too. The run uses no memory meanwhile. */
  sleep(name: string, duration: Duration, options?: { readonly signal?: AbortSignal }): Promise<void>;
  sleepUntil(name: string, date: Date, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Waits for a signal sent to this run, now or earlier. Rejects with `SignalTimeoutError`. */
  waitForSignal<T = unknown>(
    name: string,
    options?: {
      readonly timeout?: Duration;
      readonly schema?: StandardSchemaV1<unknown, T>;
      readonly signal?: AbortSignal;
    },
  ): Promise<T>;
  /**
   * Runs another workflow as a child and waits for its result. Its id is made of this run's and the name, so a crash never makes two. When
   * this run fails or is canceled first, the child is canceled, and its end is awaited. Rejects with `ChildFailedError` when the child fails
   * or is canceled (its `cause` is the child's error), with `RunConflictError` when `id` belongs to something else.
   *
   * By its name alone, for workflows whose code is elsewhere, the child gets the version that its workers told the store of last.
   */
  call<I, O>(workflow: Workflow<I, O>, input: I, options?: CallOptions<O>): Promise<O>;
  call<O = unknown>(workflow: string, input: unknown, options?: CallOptions<O>): Promise<O>;
  /** Starts another workflow and does not wait for it: it goes on whatever becomes of this run. Durable when it resolves. Rejects with `RunConflictError`. */
  start<I, O>(workflow: Workflow<I, O>, input: I, options?: StartChildOptions): Promise<RunRef>;
  start(workflow: string, input: unknown, options?: StartChildOptions): Promise<RunRef>;
  /**
   * Starts one run of every workflow that listens (`on`), also of those whose workers are down. Durable when it resolves. The same name and id
   * is the same event; by default the id is made of this run's. Rejects with `EventConflictError` when the id was used with another payload.
   */
  emit(event: string, payload: unknown, options?: { readonly id?: string }): Promise<void>;
  /** Sends a signal to another run, durably when it resolves, once. Rejects with `RunEndedError` or `RunNotFoundError`. */
  signal(runId: string, name: string, payload?: unknown): Promise<void>;
  /**
   * Calls `fn` for every item, for at most `concurrency` of them at a time (default 10), and resolves with the results in the order of the
   * items. Rejects with the first error; items that have not begun then never do. Steps inside need no `key` of their own if each call of `fn`
   * asks for one thing at a time: their names are counted in an order that is the same on every replay.
   */
  map<T, R>(
    items: Iterable<T>,
    fn: (item: T, index: number) => Promise<R>,
    options?: { readonly concurrency?: number },
  ): Promise<R[]>;
  /** The first branch to settle wins; the others' waits are withdrawn and their steps aborted. Rejects if the winner rejects. */
  race<B extends Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>>(
    branches: B,
  ): Promise<RaceResult<B>>;
  /** Merges searchable tags into the run's. Durable with the run's next entry. */
  tag(tags: Readonly<Record<string, string>>): void;
  /** Deterministic: the time of the last journaled outcome this code has seen. */
  now(): Date;
  /** Deterministic, in [0, 1). */
  random(): number;
  /** Deterministic, a version 4 UUID. */
  uuid(): string;
  /** True in runs that reach this change for the first time with the new code; false in runs that passed it with the old. */
  patched(change: string): boolean;
  /** Silent while replaying. */
  readonly log: Logger;
}

export type RaceResult<B extends Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>> = {
  readonly [K in keyof B]: { readonly winner: K; readonly value: Awaited<ReturnType<B[K]>> };
}[keyof B];
