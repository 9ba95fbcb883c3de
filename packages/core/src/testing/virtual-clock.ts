/** Time that stands still until a test moves it. */
import type { Clock } from "../clock.ts";
import { type Prng, prng } from "../engine/prng.ts";

export interface VirtualClockOptions {
  /** What `now` says at first, in milliseconds since the epoch. Default: 2026-01-01T00:00:00Z. */
  readonly start?: number;
  /** Of `random()`: the same seed draws the same numbers. Default: `"0"`. */
  readonly seed?: string;
}

export interface VirtualClock extends Clock {
  /**
   * Lets `ms` pass. Timers that become due fire in order, each in a macrotask of its own and at its own instant, and
   * all that follows from one is done before the next. `advance(0)` fires what is due now and waits for the rest.
   */
  advance(ms: number): Promise<void>;
  /** Sets `now` forward or back without letting time pass, as an operator or an NTP daemon does. No timer fires. */
  jump(ms: number): void;
  /** How long until the next timer fires; null when none is set. */
  readonly nextMs: number | null;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Not that of a test runner that fakes it. */
const { setImmediate } = globalThis;

/** Macrotasks in a row after which something must be chasing its own tail. */
const TURNS_MAX = 100_000;

export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  return new Virtual(options);
}

class Virtual implements VirtualClock {
  readonly #random: Prng;
  readonly #timers = new Set<Timer>();
  #wallOffset: number;
  #elapsedMs = 0;
  #macrotasks = 0;

  constructor({ start = Date.UTC(2026, 0, 1), seed = "0" }: VirtualClockOptions) {
    this.#wallOffset = start;
    this.#random = prng(seed);
  }

  /** In whole milliseconds, as the time of day is; timers are not bound to them. */
  now(): number {
    return Math.floor(this.#wallOffset + this.#elapsedMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#elapsedMs + Math.max(0, ms), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  macrotask(run: () => void): void {
    this.#macrotasks++;
    setImmediate(() => {
      this.#macrotasks--;
      run();
    });
  }

  random(): number {
    return this.#random.next();
  }

  jump(ms: number): void {
    this.#wallOffset += ms;
  }

  get nextMs(): number | null {
    const timer = this.#next();
    return timer === undefined ? null : Math.max(0, timer.at - this.#elapsedMs);
  }

  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms;
    await this.#drain();
    for (let timer = this.#next(); timer !== undefined && timer.at <= until; timer = this.#next()) {
      this.#timers.delete(timer);
      this.#elapsedMs = Math.max(this.#elapsedMs, timer.at);
      await this.#fire(timer);
      await this.#drain();
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, until);
  }

  /** The earliest; of several, the one set first. */
  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.at < next.at) next = timer;
    return next;
  }

  #fire(timer: Timer): Promise<void> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          timer.run();
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Until no macrotask is left that was asked of this clock, and two turns more for what hangs on promises. */
  async #drain(): Promise<void> {
    for (let turns = 0, quiet = 0; quiet < 2; turns++) {
      if (turns === TURNS_MAX)
        throw new Error(`virtual clock: ${TURNS_MAX} macrotasks in a row, and time stands still`);
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.#macrotasks === 0 ? quiet + 1 : 0;
    }
  }
}

export interface ProcessClock extends Clock {
  /** Ends the process that this clock stands for: no timer and no macrotask of it ever fires again. */
  kill(): void;
}

export interface ProcessClockOptions {
  /** How far this process's `now` is ahead of the others'. */
  readonly skewMs?: number;
}

/** The clock as one process of several sees it, so that a test can kill that process alone. */
export function processClock(clock: Clock, { skewMs = 0 }: ProcessClockOptions = {}): ProcessClock {
  const timers = new Set<() => void>();
  let alive = true;
  return {
    now: () => clock.now() + skewMs,
    monotonic: () => clock.monotonic(),
    random: () => clock.random(),
    macrotask: (run) => clock.macrotask(() => alive && run()),
    after: (ms, run, options) => {
      if (!alive) return () => {};
      const cancel = clock.after(
        ms,
        () => {
          timers.delete(stop);
          if (alive) run();
        },
        options,
      );
      const stop = (): void => {
        timers.delete(stop);
        cancel();
      };
      timers.add(stop);
      return stop;
    },
    kill: () => {
      alive = false;
      for (const stop of timers) stop();
    },
  };
}
