/**
 * Who may run bodies in this worker's process. A run whose workers died again and again is a suspect: it gets the process to
 * itself, so that if it is a poison pill it takes no neighbour with it, and if it is innocent it is not blamed.
 */
export class BodyGate {
  readonly #executing = new Map<object, number>();
  readonly #suspects: { readonly run: object; readonly granted: () => void }[] = [];
  readonly #onFree: () => void;
  #alone: object | undefined;

  /** `onFree` is called when runs that were refused may try again. */
  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  mayBegin(run: object): boolean {
    return this.#alone === run || (this.#alone === undefined && this.#suspects.length === 0);
  }

  began(run: object): void {
    this.#executing.set(run, (this.#executing.get(run) ?? 0) + 1);
  }

  ended(run: object): void {
    const left = (this.#executing.get(run) ?? 1) - 1;
    if (left > 0) this.#executing.set(run, left);
    else {
      this.#executing.delete(run);
      this.#next();
    }
  }

  /** Calls back once nothing else executes; until `leaveAlone`, nothing else begins. */
  enterAlone(run: object, granted: () => void): void {
    this.#suspects.push({ run, granted });
    this.#next();
  }

  leaveAlone(run: object): void {
    const index = this.#suspects.findIndex((suspect) => suspect.run === run);
    if (index !== -1) this.#suspects.splice(index, 1);
    if (this.#alone === run) this.#alone = undefined;
    this.#next();
    if (this.#alone === undefined && this.#suspects.length === 0) this.#onFree();
  }

  #next(): void {
    if (this.#alone !== undefined || this.#executing.size > 0) return;
    const next = this.#suspects.shift();
    if (next === undefined) return;
    this.#alone = next.run;
    next.granted();
  }
}
