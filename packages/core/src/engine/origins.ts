import type { NewEntry } from "../store.ts";

/**
 * Whose draws (`random`, `uuid`) the code is given. What a fork shares with the run that it was made of was decided and sent out with that
 * one's draws; from the place where they parted it has its own, so that the two never make the same id.
 */
export class Origins {
  readonly #runId: string;
  readonly #forks: readonly NewEntry[];
  #parted = 0;

  constructor(runId: string, journal: readonly NewEntry[]) {
    this.#runId = runId;
    this.#forks = journal.filter(({ kind }) => kind === "fork");
  }

  /** The id of the run that is or was there at this place of the journal. */
  get current(): string {
    const next = this.#forks[this.#parted];
    if (next === undefined) return this.#runId;
    return (JSON.parse(next.value ?? "{}") as { readonly from: string }).from;
  }

  /** The next `fork` entry is delivered. */
  parted(): void {
    this.#parted += 1;
  }
}
