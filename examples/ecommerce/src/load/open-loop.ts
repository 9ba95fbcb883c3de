import { setTimeout as delay } from "node:timers/promises";

/** An answer, or none. */
export interface Answered {
  readonly ok: boolean;
  /** From the moment when the request was due, whether or not it could be sent then. */
  readonly ms: number;
}

/**
 * Sends requests at their times, however late the answers to earlier ones are: customers don't wait for each other. A loop that waits
 * would send less as the service slows down, and not see how slow it is.
 */
export async function openLoop(
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
  send: (index: number) => Promise<boolean>,
): Promise<Answered[]> {
  const startedAt = performance.now();
  const answers: Promise<Answered>[] = [];
  for (let index = 0; index < perSecond * seconds; index += 1) {
    const dueAt = startedAt + (index / perSecond) * 1_000;
    const early = dueAt - performance.now();
    if (early > 0) await delay(early);
    answers.push(send(index).then((ok) => ({ ok, ms: performance.now() - dueAt })));
  }
  return Promise.all(answers);
}

/** The smallest value that so large a part of all does not exceed. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
