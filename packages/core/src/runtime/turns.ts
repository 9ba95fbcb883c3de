import type { Clock } from "../clock.ts";

/**
 * The delivery turns of one activation. A turn is two macrotasks queued together: in the first, one promise is resolved; Node then
 * drains all microtasks; the second closes the turn. Nothing else of this process runs between them, so what the code asks for
 * meanwhile follows from that one settlement alone.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #work: (mayDeliver: boolean) => void;
  #open = false;
  #prepared = false;

  /** `work` is called in both macrotasks; it may open a turn only where `mayDeliver` is true. */
  constructor(clock: Clock, work: (mayDeliver: boolean) => void) {
    this.#clock = clock;
    this.#work = work;
  }

  get inTurn(): boolean {
    return this.#open;
  }

  /** True when `work` is about to be called anyway. */
  get prepared(): boolean {
    return this.#prepared;
  }

  /** Has `work` called soon. */
  wake(): void {
    if (!this.#prepared) this.#prepare(this.#workFirst);
  }

  /** Runs this as a turn of its own. */
  run(act: () => void): void {
    this.#prepare(() => {
      this.#open = true;
      act();
    });
  }

  /** Makes the current first macrotask a turn. */
  enter(): void {
    this.#open = true;
  }

  #prepare(first: () => void): void {
    this.#prepared = true;
    this.#clock.macrotask(first);
    this.#clock.macrotask(this.#close);
  }

  readonly #workFirst = (): void => this.#work(true);

  readonly #close = (): void => {
    this.#open = false;
    this.#prepared = false;
    this.#work(false);
  };
}
