import type { Outcome } from "@everstep/core";

/** What one transaction knows while it applies writes. */
export interface Scope {
  /** The store's clock, read once per transaction (S9). */
  readonly now: number;
  /** The worker under whose lease the batch writes; null without a lease, when it was taken over, and after it was left. */
  worker: number | null;
  /** The number of the journal's next entry; undefined while it was not looked up, and after a write was taken back. */
  nextEntryNo?: number | undefined;
  /** Runs that became due or got a message: what watchers want to hear once it is durable. */
  readonly changed: string[];
  /** Runs that ended or are stuck: nothing that a worker wants to hear. */
  readonly over: string[];
  /** So many runs may have become due that nobody listed them. */
  changedAll?: boolean;
  /** Set while each write has a savepoint of its own: does a part of a write in one more, or takes it back and refuses it. */
  readonly guard?: Guard;
}

export type Guard = <T>(work: () => T, refuse: (reason: string) => T) => T;

export const DONE: Outcome = { is: "done" };
export const FENCED: Outcome = { is: "fenced" };
export const NOT_FOUND: Outcome = { is: "not-found" };
