import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";

/** An outage that comes and goes is not told of again so soon. */
const SILENCE_MS = 60_000;

/** Says that a worker waits for its store, and why: once, however many of its calls find that out. */
export function outageNotice(clock: Clock, logger: Logger): (error: Error) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    if (clock.monotonic() - saidAt < SILENCE_MS) return;
    saidAt = clock.monotonic();
    logger.warn(`this worker waits for its store: ${message}`);
  };
}
