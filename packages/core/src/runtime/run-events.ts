/** What an observer is told of runs, their steps and their workers, as it happens. */
import type { EndStatus } from "../store.ts";

interface Told {
  /** By the store's clock. */
  readonly at: Date;
  /** How many events before this one were dropped, because the observer was too slow for them. */
  readonly dropped?: number;
}

interface OfRun extends Told {
  readonly run: string;
  readonly workflow: string;
  readonly version: string;
  /** How often the run was claimed, this time included: 1 the first time. */
  readonly runAttempt: number;
}

interface OfBody extends OfRun {
  readonly step: string;
  /** What is executed: the step, its compensation, or its `inDoubt` function. */
  readonly body: "step" | "undo" | "lookUp";
  /** 1 for the first; grows with each failed one. */
  readonly attempt: number;
}

/** A worker begins to execute a run, or goes on with it: then it replays what was journaled. */
export interface RunBegan extends OfRun {
  readonly type: "run.began";
  readonly replayed: boolean;
}

/** It waits for time or a message, and is in nobody's memory meanwhile. */
export interface RunParked extends OfRun {
  readonly type: "run.parked";
  /** Null: only a message or a person can move it. */
  readonly dueAt: Date | null;
}

export interface RunEnded extends OfRun {
  readonly type: "run.ended";
  readonly status: EndStatus;
  /** Since it was first claimed. */
  readonly ms: number;
  readonly error?: Error;
}

/** It needs a person; docs/errors.md has a section per code. */
export interface RunStuck extends OfRun {
  readonly type: "run.stuck";
  readonly code: string;
  readonly message: string;
}

/** Its worker let go of it to stop, or because its workflow is paused: any other goes on with it. */
export interface RunReleased extends OfRun {
  readonly type: "run.released";
}

/** Another worker took it over, or its lease is over: what this one still does with it is not recorded. */
export interface RunFenced extends OfRun {
  readonly type: "run.fenced";
}

export interface StepBegan extends OfBody {
  readonly type: "step.began";
}

/** A body is over. What came of it is durable a moment later, or not at all when the worker dies before. */
export interface StepEnded extends OfBody {
  readonly type: "step.ended";
  readonly ms: number;
  /** `interrupted`: by a stop, a pause or a cancel; it counts as no attempt. */
  readonly outcome: "ok" | "failed" | "interrupted";
  readonly error?: Error;
}

/** It failed and will be tried again. */
export interface StepRetried extends OfBody {
  readonly type: "step.retried";
  readonly error: Error;
  readonly nextAt: Date;
}

/** Its body still runs, though it was given up: after its timeout, or because its worker has the run no more. What it comes to is lost. */
export interface StepAbandoned extends OfBody {
  readonly type: "step.abandoned";
}

/** A child, an event or a signal was sent out, durably. */
export interface RunSent extends OfRun {
  readonly type: "run.sent";
  readonly what: "child" | "start" | "event" | "signal" | "cancel";
  /** The run it went to, or the event's name. */
  readonly to: string;
}

/** Of the worker itself: it may execute runs, may do so no more until it has joined again, or is gone in order. */
export interface WorkerEvent extends Told {
  readonly type: "worker.joined" | "worker.fenced" | "worker.left";
  /** A new one each time it joins. */
  readonly worker: number;
}

export type RunEvent =
  | RunBegan
  | RunParked
  | RunEnded
  | RunStuck
  | RunReleased
  | RunFenced
  | StepBegan
  | StepEnded
  | StepRetried
  | StepAbandoned
  | RunSent
  | WorkerEvent;

/**
 * Called with one event after the other, in their order, after the fact and outside of any run. When it answers with a promise, the next
 * event waits for it. What it throws, or rejects with, is logged once and changes nothing.
 */
export type Observer = (event: RunEvent) => unknown;
