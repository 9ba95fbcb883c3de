/**
 * The clock of processes that can be held still while time passes. What came due meanwhile fires when they are let go on, in its
 * order: a worker that looks after its lease twice a second then does so once, however long it was, instead of a million times.
 */
import type { Clock } from "../clock.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface PausableClock extends Clock {
  /** Lets up to `ms` pass without any timer of these processes; less when a timer of somebody else is due before. */
  leap(ms: number): Promise<void>;
  /** How long until a timer is due that is not of these processes; null when there is none. */
  othersMs(): number | null;
  /** How long until a timer of these processes is due that was set for more than a second: no tick, and no look at the store. */
  longMs(): number | null;
}

const LONG_MS = 1000;

interface Timer {
  readonly at: number;
  readonly long: boolean;
  readonly fire: () => void;
  cancel: () => void;
}

export function pausableClock(clock: VirtualClock): PausableClock {
  return new Pausable(clock);
}

class Pausable implements PausableClock {
  readonly #clock: VirtualClock;
  readonly #timers = new Set<Timer>();
  #paused = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  random(): number {
    return this.#clock.random();
  }

  macrotask(run: () => void): void {
    this.#clock.macrotask(run);
  }

  after(ms: number, run: () => void): () => void {
    const fire = (): void => {
      this.#timers.delete(timer);
      run();
    };
    const at = this.#clock.monotonic() + Math.max(0, ms);
    const timer: Timer = { at, long: ms > LONG_MS, fire, cancel: () => {} };
    this.#timers.add(timer);
    if (!this.#paused) this.#arm(timer);
    return () => {
      this.#timers.delete(timer);
      timer.cancel();
    };
  }

  async leap(ms: number): Promise<void> {
    this.#pause();
    try {
      await this.#clock.advance(Math.min(ms, this.#clock.nextMs ?? ms));
    } finally {
      this.#goOn();
    }
  }

  othersMs(): number | null {
    this.#pause();
    const { nextMs } = this.#clock;
    this.#goOn();
    return nextMs;
  }

  longMs(): number | null {
    const next = Math.min(...[...this.#timers].filter(({ long }) => long).map(({ at }) => at));
    return Number.isFinite(next) ? Math.max(0, next - this.#clock.monotonic()) : null;
  }

  #pause(): void {
    this.#paused = true;
    for (const { cancel } of this.#timers) cancel();
  }

  #goOn(): void {
    this.#paused = false;
    for (const timer of [...this.#timers].toSorted((a, b) => a.at - b.at)) this.#arm(timer);
  }

  #arm(timer: Timer): void {
    timer.cancel = this.#clock.after(timer.at - this.#clock.monotonic(), timer.fire);
  }
}
