import { setTimeout as delay } from "node:timers/promises";
import { lockedTooLong, storeFailure, troubleOf } from "./failure.ts";

/** Pauses are drawn up to this; short ones, for the lock is usually held for a millisecond, and a try costs a few microseconds. */
const PAUSE_MAX_MS = 6;

/** Somebody who has held the lock for so long will hold it for longer. */
const LONG_MS = 1_000;
const LONG_PAUSE_MAX_MS = 50;

/**
 * Tries again while the file is locked by somebody else, without blocking the event loop: the driver's own waiting would stop
 * every timer and every lease of the process (F21, F23).
 */
export async function insist<T>(
  attempt: () => T,
  { file, giveUpAfterMs }: { readonly file: string; readonly giveUpAfterMs: number },
): Promise<T> {
  const since = performance.now();
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (troubleOf(error) !== "busy") throw storeFailure(error, file);
      const waitedMs = performance.now() - since;
      if (waitedMs > giveUpAfterMs) throw lockedTooLong(file, error);
      // Jitter: two processes that met once would meet again and again.
      await delay(Math.random() * (waitedMs < LONG_MS ? PAUSE_MAX_MS : LONG_PAUSE_MAX_MS));
    }
  }
}
