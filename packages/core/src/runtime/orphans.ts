import type { Renewal } from "../store.ts";

type Owned = NonNullable<Renewal["owned"]>;

/**
 * Runs that the store says a worker owns, but that it does not hold: a claim's answer was lost, or they were given up when the
 * store failed. They are given back at the second look; whether a body of them was cut off is not known.
 */
export class Orphans {
  #seen = new Set<string>();
  readonly #givenBack = new Map<string, number>();

  /** Those that were missing at the last look as well. */
  toGiveBack(missing: Owned): Owned {
    const again = missing.filter(({ runId }) => this.#seen.has(runId));
    this.#seen = new Set(missing.map(({ runId }) => runId));
    for (const { runId, attempt } of again) this.#givenBack.set(runId, attempt);
    return again;
  }

  /** The claim was given back already: its answer comes too late. */
  isOver({ id, attempt }: { readonly id: string; readonly attempt: number }): boolean {
    return (this.#givenBack.get(id) ?? 0) >= attempt;
  }

  /** Another lease owns nothing of it. */
  clear(): void {
    this.#givenBack.clear();
  }
}
