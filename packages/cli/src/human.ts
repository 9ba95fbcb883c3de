/** Durations and instants, as people read and write them. */
import { usageError } from "./failure.ts";

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
];

/** Its two largest units: `2d 3h`, `41m 7s`, `3.2s`, `80ms`. */
export function durationText(ms: number): string {
  const length = Math.max(0, ms);
  if (length < 1000) return `${Math.round(length)}ms`;
  if (length < 10_000) return `${(Math.floor(length / 100) / 10).toFixed(1)}s`;
  const at = UNITS.findIndex(([, unitMs]) => length >= unitMs);
  const [unit = "s", unitMs = 1000] = UNITS[at] ?? [];
  const [smaller, smallerMs = 1] = UNITS[at + 1] ?? [];
  const rest = Math.floor((length % unitMs) / smallerMs);
  const whole = `${Math.floor(length / unitMs)}${unit}`;
  return smaller === undefined || rest === 0 ? whole : `${whole} ${rest}${smaller}`;
}

/** `3m 2s ago`, or `in 5h` of an instant to come. */
export function ageText(iso: string, now: number): string {
  const ms = now - Date.parse(iso);
  return ms >= 0 ? `${durationText(ms)} ago` : `in ${durationText(-ms)}`;
}

export function instantText(iso: string, now: number): string {
  return `${iso} (${ageText(iso, now)})`;
}

const DURATION = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d|w)$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  ...Object.fromEntries(UNITS),
  w: 7 * 86_400_000,
};

const DURATION_MAX_MS = 100 * 365 * 86_400_000;

/** `90s`, `5m`, `2h`, `7d`, in milliseconds. */
export function parseDuration(text: string, option: string): number {
  const [, count, unit = ""] = DURATION.exec(text) ?? [];
  if (count === undefined)
    throw usageError(`${option} is a duration such as 90s, 5m, 2h or 7d, not ${JSON.stringify(text)}`);
  const ms = Math.round(Number(count) * (UNIT_MS[unit] ?? 1));
  if (ms > DURATION_MAX_MS) throw usageError(`${option} is at most a hundred years, not ${text}`);
  return ms;
}

/** An instant as ISO 8601, or as a duration before now; in milliseconds since the epoch. */
export function parseInstant(text: string, option: string, now: number): number {
  if (DURATION.test(text)) return Math.max(0, now - parseDuration(text, option));
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw usageError(
      `${option} is an instant such as 2026-11-26T09:00:00Z, or a duration before now such as 2h, not ${JSON.stringify(text)}`,
    );
  // No run is older than that.
  return Math.max(0, at);
}

export function parseCount(text: string, option: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usageError(`${option} is a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}
