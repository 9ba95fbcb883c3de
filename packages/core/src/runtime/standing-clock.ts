import { type Clock, systemClock } from "../clock.ts";

/** Macrotasks in a row after which something must be chasing its own tail. */
const TURNS_MAX = 100_000;

/** The time of day stands still; timers fire when they would. */
export class StandingClock implements Clock {
  readonly #at: number;
  readonly #timers = new Set<() => void>();
  #macrotasks = 0;

  constructor(at: number) {
    this.#at = at;
  }

  now(): number {
    return this.#at;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  after(ms: number, run: () => void): () => void {
    const cancel = systemClock.after(ms, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
    return () => {
      this.#timers.delete(cancel);
      cancel();
    };
  }

  macrotask(run: () => void): void {
    this.#macrotasks += 1;
    systemClock.macrotask(() => {
      this.#macrotasks -= 1;
      run();
    });
  }

  random(): number {
    return 0;
  }

  /** Until no macrotask is left that was asked of this clock, and two turns more for what hangs on promises. */
  async quiet(): Promise<void> {
    for (let turns = 0, quiet = 0; quiet < 2; turns++) {
      if (turns === TURNS_MAX) throw new Error(`${TURNS_MAX} macrotasks in a row, and no end`);
      await new Promise<void>((resolve) => systemClock.macrotask(resolve));
      quiet = this.#macrotasks === 0 ? quiet + 1 : 0;
    }
  }

  /** No timer fires any more. */
  stop(): void {
    for (const cancel of this.#timers) cancel();
  }
}
