import { setTimeout as delay } from "node:timers/promises";
import { lockedTooLong, storeFailure, troubleOf } from "./failure.ts";

/** The first pause is up to so long, each later one up to twice as long, but no longer than PAUSE_MAX_MS. */
const PAUSE_FIRST_MS = 2;
const PAUSE_MAX_MS = 50;

/**
 * Tries again while the file is locked by somebody else, without blocking the event loop: the driver's own waiting would stop
 * every timer and every lease of the process (F21, F23).
 */
export async function insist<T>(
  attempt: () => T,
  { file, giveUpAfterMs }: { readonly file: string; readonly giveUpAfterMs: number },
): Promise<T> {
  const since = performance.now();
  for (let pauseMaxMs = PAUSE_FIRST_MS; ; pauseMaxMs = Math.min(2 * pauseMaxMs, PAUSE_MAX_MS)) {
    try {
      return attempt();
    } catch (error) {
      if (troubleOf(error) !== "busy") throw storeFailure(error, file);
      if (performance.now() - since > giveUpAfterMs) throw lockedTooLong(file, error);
    }
    // Jitter: two processes that met once would meet again and again.
    await delay(Math.random() * pauseMaxMs);
  }
}
