import type { RetryPolicy } from "../context.ts";
import { InvalidArgumentError } from "../errors.ts";
import { durationMs } from "./duration.ts";

/** A retry policy with all defaults filled in. */
export interface Retry {
  readonly maxAttempts: number;
  readonly initialDelayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
  readonly maxElapsedMs: number;
  readonly onExhausted: "throw" | "stick";
}

const DEFAULT: Retry = {
  maxAttempts: Number.POSITIVE_INFINITY,
  initialDelayMs: 500,
  factor: 2,
  maxDelayMs: 60_000,
  maxElapsedMs: Number.POSITIVE_INFINITY,
  onExhausted: "throw",
};

const ONCE: Retry = { ...DEFAULT, maxAttempts: 1 };

/** Fills in the defaults. Throws `InvalidArgumentError` naming `what`. */
export function retryOf(policy: RetryPolicy | false | undefined, what: string): Retry {
  if (policy === undefined) return DEFAULT;
  if (policy === false) return ONCE;
  const maxAttempts = policy.maxAttempts ?? DEFAULT.maxAttempts;
  if (!(maxAttempts >= 1))
    throw new InvalidArgumentError(`${what}: retry.maxAttempts must be at least 1, not ${maxAttempts}`);
  const factor = policy.factor ?? DEFAULT.factor;
  if (!(factor >= 1))
    throw new InvalidArgumentError(`${what}: retry.factor must be at least 1, not ${factor}`);
  const ms = (duration: RetryPolicy["maxDelay"], option: string, otherwise: number): number =>
    duration === undefined ? otherwise : durationMs(duration, `${what}: retry.${option}`);
  return {
    maxAttempts,
    factor,
    initialDelayMs: ms(policy.initialDelay, "initialDelay", DEFAULT.initialDelayMs),
    maxDelayMs: ms(policy.maxDelay, "maxDelay", DEFAULT.maxDelayMs),
    maxElapsedMs: ms(policy.maxElapsed, "maxElapsed", DEFAULT.maxElapsedMs),
    onExhausted: policy.onExhausted ?? DEFAULT.onExhausted,
  };
}

export interface FailedAttempt {
  /** Failed attempts so far, this one included. */
  readonly failures: number;
  readonly firstAt: number;
  readonly now: number;
  /** In [0, 1): the jitter. */
  readonly random: number;
  /** The body asked not to be tried before this instant. */
  readonly notBefore?: number;
}

/** When the next attempt is due, or `"exhausted"`. Full jitter: between 0 and the bound, so that herds spread. */
export function nextAttemptAt(retry: Retry, failed: FailedAttempt): number | "exhausted" {
  if (failed.failures >= retry.maxAttempts) return "exhausted";
  const boundMs = Math.min(retry.maxDelayMs, retry.initialDelayMs * retry.factor ** (failed.failures - 1));
  const at = Math.max(failed.now + Math.round(boundMs * failed.random), failed.notBefore ?? 0);
  return at - failed.firstAt > retry.maxElapsedMs ? "exhausted" : at;
}
