import type { Clock } from "../clock.ts";

/** One timer that is moved as often as one likes: it is armed anew only when its instant changes. */
export class DueTimer {
  readonly #clock: Clock;
  readonly #fire: () => void;
  #at: number | null = null;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** `at` and `now` by the store's clock; null: never. */
  set(at: number | null, now: number): void {
    if (at === this.#at) return;
    this.#cancel?.();
    this.#at = at;
    this.#cancel = at === null ? undefined : this.#clock.after(at - now, () => this.#fired());
  }

  #fired(): void {
    this.#at = null;
    this.#fire();
  }
}
