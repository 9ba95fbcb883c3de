import type { Duration } from "../context.ts";
import { InvalidArgumentError } from "../errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** The last instant that a Date can hold; a later due time could not be shown. */
export const INSTANT_MAX = 8.64e15;

/** Milliseconds of a duration. Throws for anything but a finite, non-negative amount: NaN would make a timer fire at once. */
export function durationMs(duration: Duration, what: string): number {
  const ms = typeof duration === "number" ? duration : parse(duration);
  if (!Number.isFinite(ms) || ms < 0 || ms > INSTANT_MAX) {
    throw new InvalidArgumentError(
      `${what} must be milliseconds or a text such as "250ms", "30s", "5m", "2h" or "7d", not ${show(duration)}`,
    );
  }
  return Math.ceil(ms); // stores keep whole milliseconds
}

function parse(text: unknown): number {
  if (typeof text !== "string" || text.length > 32) return Number.NaN;
  const match = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d|w)$/.exec(text);
  return Number(match?.[1] ?? Number.NaN) * (UNIT_MS[match?.[2] ?? ""] ?? Number.NaN);
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
}
