/** Counts what happened, by name. What is announced and never happens stays at 0: then nothing was shown about it. */
export class Tally {
  readonly #counts = new Map<string, number>();

  announce(...names: readonly string[]): void {
    for (const name of names) this.count(name, 0);
  }

  count(name: string, times: number = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + times);
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
