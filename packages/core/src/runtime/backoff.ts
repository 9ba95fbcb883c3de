import type { Clock } from "../clock.ts";

const FIRST_MS = 20;
const MAX_MS = 2000;

/** Waits longer and longer while the store is out, with full jitter; short again once it answered. */
export class Backoff {
  readonly #clock: Clock;
  #failures = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  over(): void {
    this.#failures = 0;
  }

  wait(): Promise<void> {
    const boundMs = Math.min(MAX_MS, FIRST_MS * 2 ** this.#failures++);
    const ms = FIRST_MS / 2 + boundMs * this.#clock.random();
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}
