/** The undos of a closed run as bodies: one at a time, each with its own row of failed attempts. */
import type { RetryState } from "../store.ts";
import type { Ask } from "./asks.ts";
import type { AttemptEnd, Bodies } from "./bodies.ts";
import type { Journal } from "./journal.ts";
import type { Unwinding } from "./unwinding.ts";

export class Undos<H> {
  readonly #journal: Journal;
  readonly #bodies: Bodies<H>;
  readonly #unwinding: Unwinding<H>;
  readonly #known: Map<string, RetryState | true>;

  constructor(
    journal: Journal,
    bodies: Bodies<H>,
    unwinding: Unwinding<H>,
    known: Map<string, RetryState | true>,
  ) {
    this.#journal = journal;
    this.#bodies = bodies;
    this.#unwinding = unwinding;
    this.#known = known;
  }

  /** What failed attempts of this undo left behind. */
  rowOf(key: string): RetryState | undefined {
    const row = this.#known.get(rowKey(key));
    return typeof row === "object" ? row : undefined;
  }

  /** Why its last attempt failed: another worker may have seen that. */
  whyOf(row: RetryState): string {
    return this.#bodies.lastErrorOf(row);
  }

  began(): void {
    this.#bodies.executing += 1;
  }

  completed(key: string, now: number): void {
    this.#bodies.executing -= 1;
    this.#journal.append({ kind: "undo", key }, now);
    this.#journal.dropRetry(rowKey(key));
    this.#known.delete(rowKey(key));
  }

  /** Tried again later, or left for a person when it never can succeed. An interruption counts as no attempt. */
  failed(ask: Ask<H>, end: AttemptEnd & { readonly how: "failed" | "interrupted" }, now: number): void {
    this.#bodies.executing -= 1;
    if (end.how === "interrupted") return;
    const row = this.#bodies.failedRow(
      rowKey(ask.key),
      this.rowOf(ask.key),
      end,
      now,
      this.#unwinding.retryOf(ask),
    );
    this.#known.set(row.key, row);
    this.#journal.keepRetry(row);
    if (row.nextAt === null) this.#unwinding.markFailed(ask.key, end.message);
  }

  /** The code no longer registers it: the others still run, then the run is stuck. */
  unregistered(key: string): void {
    this.#unwinding.markFailed(key, "the code no longer registers it");
  }
}

/** A step's row and the row of its undo are two; no step's key ends like this. */
function rowKey(key: string): string {
  return `${key}#undo`;
}
