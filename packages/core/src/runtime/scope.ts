import { AsyncLocalStorage } from "node:async_hooks";

/** Where the current code runs: in a run's handler, in one branch of a `race`, or in the body of a step. */
export interface Scope {
  /** The activation it belongs to. */
  readonly run: object;
  /** The body's step, when it is one. */
  readonly step?: string;
  /** Aborted when the branch of the race lost. */
  readonly lost?: AbortSignal;
}

export const scope: AsyncLocalStorage<Scope | undefined> = new AsyncLocalStorage();
