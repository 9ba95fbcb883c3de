/**
 * Who may run bodies in this worker's process. A run whose workers died again and again is a suspect: it gets the process to
 * itself, so that if it is a poison pill it takes no neighbour with it, and if it is innocent it is not blamed.
 */
export class BodyGate {
  #executing = 0;
  readonly #onFree: () => void;
  #suspect: { readonly run: object; readonly granted: () => void } | undefined;
  #alone = false;
  /** A suspect waited in vain: by the monotonic clock, until when nobody tries again. */
  #noQuietUntil = Number.NEGATIVE_INFINITY;

  /** `onFree` is called when runs that were refused may try again. */
  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  mayBegin(run: object): boolean {
    return this.#suspect === undefined || (this.#alone && this.#suspect.run === run);
  }

  began(): void {
    this.#executing += 1;
  }

  ended(): void {
    this.#executing -= 1;
    this.#grant();
  }

  /**
   * Calls back once nothing else executes; until `leaveAlone`, nothing else begins. False when another suspect is here already:
   * let go of this one, so that it is not blamed for what the other one does.
   */
  enterAlone(run: object, granted: () => void): boolean {
    if (this.#suspect !== undefined) return false;
    this.#suspect = { run, granted };
    this.#grant();
    return true;
  }

  /** Something executes that outlasted the patience of a suspect a short while ago. */
  isNeverQuiet(now: number): boolean {
    return this.#executing > 0 && this.#suspect === undefined && now < this.#noQuietUntil;
  }

  /** The suspect has waited for long enough. */
  giveUpQuiet(run: object, until: number): void {
    this.#noQuietUntil = until;
    this.leaveAlone(run);
  }

  leaveAlone(run: object): void {
    if (this.#suspect?.run !== run) return;
    this.#suspect = undefined;
    this.#alone = false;
    this.#onFree();
  }

  #grant(): void {
    if (this.#suspect === undefined || this.#alone || this.#executing > 0) return;
    this.#alone = true;
    this.#suspect.granted();
  }
}
