import type { NewEntry, RunDetails } from "../store.ts";
import { entryCodecKey, isRefusedSend } from "./entry-codec.ts";
import type { Values } from "./values.ts";

/** What a refused send is rejected with. */
const REFUSALS: ReadonlySet<unknown> = new Set([
  "RUN_CONFLICT",
  "RUN_ENDED",
  "RUN_NOT_FOUND",
  "EVENT_CONFLICT",
]);

/** The entry with which a failed run's error began: the last one that rejected its ask with the error, or with one of its causes. */
export function failedEntry(
  { run }: RunDetails,
  entries: readonly NewEntry[],
  values: Values,
): NewEntry | undefined {
  if (run.error === null) return undefined;
  const causes = chainOf(values.errorFromText(run.error, "", "its error"));
  return entries.findLast((entry) => {
    const { key, error } = entry;
    if (error === undefined) return false;
    if (isRefusedSend(entry)) return causes.some((cause) => "code" in cause && REFUSALS.has(cause.code));
    const own = values.errorFromText(error, entryCodecKey(entry), `the error of ${key}`);
    return causes.some(({ name, message }) => name === own.name && message === own.message);
  });
}

function chainOf(error: Error): readonly Error[] {
  return error.cause instanceof Error ? [error, ...chainOf(error.cause)] : [error];
}
