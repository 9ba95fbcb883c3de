/** How a suspect gets its worker's process to itself, and for how long. */
import type { Clock } from "../clock.ts";
import type { BodyGate } from "./body-gate.ts";

/**
 * A body that takes longer is not waited for: while a suspect waits, no other body begins, and the one that it waits for may itself
 * wait for one of those.
 */
const QUIET_MAX_MS = 5000;
/** For so long after one waited in vain the others don't: they come one by one, and would wait as long each. */
const NO_QUIET_MS = 30_000;
/** Whoever has lived so long alone does not end its process at once; and everybody else waits. */
const ALONE_MAX_MS = 30_000;

export interface Solitary {
  /** Called once; `alone`: nothing else executes, and nothing will begin. */
  readonly begin: (alone: boolean) => void;
  /** It has been alone for long enough. */
  readonly enough: () => void;
}

export class Solitude {
  readonly #run: object;
  readonly #gate: BodyGate;
  readonly #clock: Clock;
  #alone = false;
  #cancel: (() => void) | undefined;

  constructor(run: object, { gate, clock }: { readonly gate: BodyGate; readonly clock: Clock }) {
    this.#run = run;
    this.#gate = gate;
    this.#clock = clock;
  }

  get alone(): boolean {
    return this.#alone;
  }

  /** False when another suspect is here already. */
  enter({ begin, enough }: Solitary): boolean {
    if (this.#gate.isNeverQuiet(this.#clock.monotonic())) {
      begin(false);
      return true;
    }
    const granted = (): void => {
      this.#alone = true;
      this.#after(ALONE_MAX_MS, enough);
      begin(true);
    };
    const entered = this.#gate.enterAlone(this.#run, granted);
    if (entered && !this.#alone)
      this.#after(QUIET_MAX_MS, () => {
        this.#gate.giveUpQuiet(this.#run, this.#clock.monotonic() + NO_QUIET_MS);
        begin(false);
      });
    return entered;
  }

  leave(): void {
    this.#cancel?.();
    this.#alone = false;
    this.#gate.leaveAlone(this.#run);
  }

  #after(ms: number, act: () => void): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(ms, act);
  }
}
