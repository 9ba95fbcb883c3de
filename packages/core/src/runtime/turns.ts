import type { Clock } from "../clock.ts";

/**
 * The delivery turns of one activation. A turn is two macrotasks queued together: in the first, one promise is resolved; Node then
 * drains all microtasks; the second closes the turn. Nothing else of this process runs between them, so what the code asks for
 * meanwhile follows from that one settlement alone.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #work: (mayDeliver: boolean) => void;
  /** What is to be a turn of its own, in order. It goes before any other work: it was decided before. */
  readonly #acts: (() => void)[] = [];
  #open = false;
  /** Pairs of macrotasks that are queued, or of which the second one is. */
  #pairs = 0;

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
    return this.#pairs > 0;
  }

  /** Has `work` called soon. */
  wake(): void {
    if (this.#pairs === 0) this.#prepare();
  }

  /** Runs this as a turn of its own. */
  run(act: () => void): void {
    this.#acts.push(act);
    this.#prepare();
  }

  /** Makes the current first macrotask a turn. */
  enter(): void {
    this.#open = true;
  }

  #prepare(): void {
    this.#pairs += 1;
    this.#clock.macrotask(this.#first);
    this.#clock.macrotask(this.#close);
  }

  readonly #first = (): void => {
    const act = this.#acts.shift();
    if (act === undefined) return this.#work(true);
    this.#open = true;
    act();
  };

  readonly #close = (): void => {
    this.#open = false;
    this.#pairs -= 1;
    this.#work(false);
  };
}
