import type { StepContext } from "@everstep/core";

/** What the shop's parts need to know of the step that they work in. */
export type BodyStep = Pick<StepContext, "idempotencyKey" | "attempt" | "signal">;

/**
 * What a client can't abort by itself: whoever asked stops waiting for it. As after a lost reply, nobody knows then what it did.
 * Nothing is begun when the signal was aborted before.
 */
export async function orAborted<T>(signal: AbortSignal, request: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([request(), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
