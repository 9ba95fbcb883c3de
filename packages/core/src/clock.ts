/**
 * Time, as the runtime sees it. All waiting of everstep goes through one of these, so that a test can own it.
 * The engine has no clock at all: instants are handed to it.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a clock that never goes back; only differences mean something. */
  monotonic(): number;
  /** Calls `run` once after `ms`, however long that is; the answer cancels it. An unreferenced timer keeps no process alive. */
  after(ms: number, run: () => void, options?: { readonly unref?: boolean }): () => void;
  /** Calls `run` in a macrotask of its own. Two calls made together run back to back, with only microtasks between them. */
  macrotask(run: () => void): void;
  /** A number in [0, 1), for jitter only. */
  random(): number;
}

/** Node's timers hold a 32-bit delay; a longer one would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run, options) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const partMs = Math.min(leftMs, TIMER_MAX_MS);
      timer = setTimeout(() => (leftMs > partMs ? arm(leftMs - partMs) : run()), partMs);
      if (options?.unref === true) timer.unref();
    };
    arm(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
  macrotask: (run) => {
    setImmediate(run);
  },
  random: () => Math.random(),
};
