/** What is undone when a run fails or is canceled: which keys, in which order, and how far it got. */
import type { RetryState, WaitNote } from "../store.ts";
import { RunCanceledError } from "../errors.ts";
import type { Ask, Asks } from "./asks.ts";
import { type Bodies, ENDLESS } from "./bodies.ts";
import type { Retry } from "./retry.ts";
import type { Values } from "./values.ts";

/** Why the run closed. `error` is encoded. */
export interface Cause {
  readonly status: "failed" | "canceled";
  readonly error: string;
  readonly compensate: boolean;
}

/** What failed attempts of undos left behind, and why the last one failed, in words. */
interface UndoRows {
  rowOf(key: string): RetryState | undefined;
  whyOf(row: RetryState): string;
}

export class Unwinding<H> {
  readonly #asks: Asks<H>;
  readonly #runId: string;
  #cause: Cause | undefined;
  /** Keys still to be undone, next first; undefined until the `unwinding` entry. */
  #remaining: string[] | undefined;
  readonly #failures = new Map<string, string>();
  #pivotIndex = -1;

  constructor(asks: Asks<H>, runId: string) {
    this.#asks = asks;
    this.#runId = runId;
  }

  get cause(): Cause | undefined {
    return this.#cause;
  }

  get closed(): boolean {
    return this.#cause !== undefined;
  }

  get begun(): boolean {
    return this.#remaining !== undefined;
  }

  /** Keys that still can be undone. */
  get remaining(): number {
    return (this.#remaining ?? []).filter((key) => !this.#failures.has(key)).length;
  }

  /** The first cause counts. */
  close(cause: Cause): void {
    this.#cause ??= cause;
  }

  cancel(order: unknown, values: Values): void {
    const { compensate, reason } = order as { readonly compensate?: boolean; readonly reason?: string };
    const error = values.errorToText(new RunCanceledError(this.#runId, reason), "");
    this.close({ status: "canceled", error, compensate: compensate !== false });
  }

  /** The `unwinding` entry: from here on its keys are what counts. */
  begin(text: string): void {
    const { cause, keys } = JSON.parse(text) as { readonly cause: Cause; readonly keys: readonly string[] };
    this.#cause = cause;
    this.#remaining = [...keys];
  }

  pivot(index: number): void {
    this.#pivotIndex = Math.max(this.#pivotIndex, index);
  }

  /** What completed or may have happened since the last pivot, in reverse order of start. */
  keys(bodies: Bodies<H>): string[] {
    const undos = [...this.#asks.all()].filter(
      (ask) =>
        ask.compensates &&
        ask.index > this.#pivotIndex &&
        (ask.kind === "undo" || mayHaveHappened(ask, bodies)),
    );
    return undos.toSorted((a, b) => b.index - a.index).map((ask) => ask.key);
  }

  undone(key: string): void {
    this.#remaining = this.#remaining?.filter((other) => other !== key);
  }

  markFailed(key: string, why: string): void {
    this.#failures.set(key, why);
  }

  failures(): string | undefined {
    if (this.#failures.size === 0) return undefined;
    return [...this.#failures].map(([key, why]) => `${key} (${why})`).join(", ");
  }

  /** The next undo that is due; its key alone when the code no longer registers it; undefined when none is due now. */
  nextUndo(now: number, rows: UndoRows): Ask<H> | string | undefined {
    for (const key of this.#remaining ?? []) {
      if (this.#failures.has(key)) continue;
      const retry = rows.rowOf(key);
      if (retry?.nextAt === null) this.markFailed(key, rows.whyOf(retry));
      else if (retry !== undefined && retry.nextAt > now) return undefined;
      else {
        const ask = this.#asks.find(key);
        return ask?.compensates === true ? ask : key;
      }
    }
    return undefined;
  }

  retryOf(ask: Ask<H>): Retry {
    return ask.kind === "undo" ? (ask.plan?.retry ?? ENDLESS) : ENDLESS;
  }

  waits(row: (key: string) => RetryState | undefined): WaitNote[] {
    const key = this.#remaining?.find((candidate) => !this.#failures.has(candidate));
    const retry = key === undefined ? undefined : row(key);
    return key === undefined || retry === undefined ? [] : [{ kind: "retry", key, until: retry.nextAt }];
  }
}

/** A child that did not complete has undone itself. What a person's retry carried over was started before. */
function mayHaveHappened<H>(ask: Ask<H>, bodies: Bodies<H>): boolean {
  if (ask.result !== undefined) return true;
  return ask.kind === "step" && ask.started && !bodies.knownNotHappened(ask);
}
