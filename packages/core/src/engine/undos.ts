/** The undos of a closed run as bodies: one at a time, each with its own row of failed attempts. */
import type { NewEntry, RetryState } from "../store.ts";
import type { Ask } from "./asks.ts";
import type { AttemptEnd, Bodies } from "./bodies.ts";
import type { Journal } from "./journal.ts";
import type { Unwinding } from "./unwinding.ts";

export class Undos<H> {
  readonly #journal: Journal;
  readonly #bodies: Bodies<H>;
  readonly #unwinding: Unwinding<H>;
  readonly #known: Map<string, RetryState | true>;
  /** How often a person had each done again that had failed for good. */
  readonly #again = new Map<string, number>();

  /** `recorded`: all that the run's journal had when it was claimed; what persons order is written between two claims. */
  constructor(
    journal: Journal,
    bodies: Bodies<H>,
    unwinding: Unwinding<H>,
    known: Map<string, RetryState | true>,
    recorded: readonly NewEntry[],
  ) {
    for (const { kind, value } of recorded) {
      if (kind !== "resolve") continue;
      const { step, newKey } = JSON.parse(value ?? "{}") as { readonly step: string; readonly newKey?: true };
      if (newKey === true) this.#again.set(step, (this.#again.get(step) ?? 0) + 1);
    }
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

  /** Of its idempotency key. What was refused for good under one key, the other side may refuse for ever under it. */
  suffixOf(key: string): string {
    const again = this.#again.get(key) ?? 0;
    return again === 0 ? "/undo" : `/undo~${again + 1}`;
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
