/** What is shipped from the outbox: JSON, in which each event has an id of its own. */
import type { EndStatus } from "../store.ts";

/** An error as the outbox tells of it. With a codec its message stays with the run: it may quote what is encrypted there. */
export interface ShippedError {
  readonly name: string;
  readonly code?: string;
  readonly message?: string;
}

export interface ShippedOfRun {
  /** The event's own: one that comes twice has the same id. */
  readonly id: string;
  /** ISO 8601, by the store's clock. */
  readonly at: string;
  readonly run: string;
  readonly workflow: string;
  readonly version: string;
  /** How often the run had been claimed. */
  readonly runAttempt: number;
}

export interface ShippedOfStep extends ShippedOfRun {
  readonly step: string;
  readonly body: "step" | "undo";
}

/** For the first time. One that was let go before it wrote anything may be told twice, with the same id. */
export interface ShippedRunBegan extends ShippedOfRun {
  readonly type: "run.began";
  readonly createdAt: string;
  readonly parent: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

export interface ShippedRunEnded extends ShippedOfRun {
  readonly type: "run.ended";
  readonly status: EndStatus;
  /** Since it was first claimed. */
  readonly ms: number;
  readonly error?: ShippedError;
}

export interface ShippedRunStuck extends ShippedOfRun {
  readonly type: "run.stuck";
  readonly code: string;
  readonly step: string | null;
}

/** Its final outcome. A compensation settles only by succeeding. */
export interface ShippedStepSettled extends ShippedOfStep {
  readonly type: "step.settled";
  readonly outcome: "ok" | "failed";
  /** How often its body ran, interruptions not counted. */
  readonly attempts: number;
  /** The last body; null when it ran in another process. */
  readonly ms: number | null;
  readonly error?: ShippedError;
}

/** An attempt failed, and there will be another one. */
export interface ShippedStepRetried extends ShippedOfStep {
  readonly type: "step.retried";
  /** The one that failed. */
  readonly attempt: number;
  readonly ms: number | null;
  readonly nextAt: string;
  readonly error: ShippedError;
}

export type ShippedEvent =
  | ShippedRunBegan
  | ShippedRunEnded
  | ShippedRunStuck
  | ShippedStepSettled
  | ShippedStepRetried;
