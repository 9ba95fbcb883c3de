/** Journals only grow, without gaps (S4). */
import type { Entry, NewEntry } from "../../store.ts";

/** Why these entries do not continue the journal, if they don't. */
export function gapIn(journal: readonly Entry[], entries: readonly NewEntry[]): string | undefined {
  const next = (journal.at(-1)?.seq ?? 0) + 1;
  const gap = entries.findIndex(({ seq }, index) => seq !== next + index);
  if (gap === -1) return undefined;
  return `entry ${entries[gap]?.seq} does not continue the journal, ${next + gap} does`;
}

export function appended(
  journal: readonly Entry[],
  entries: readonly NewEntry[],
  attempt: number,
): readonly Entry[] {
  if (entries.length === 0) return journal;
  return [...journal, ...entries.map((entry) => stored(entry, attempt))];
}

/** A store gives back no field that says nothing. */
function stored({ value, error, ...entry }: NewEntry, attempt: number): Entry {
  return {
    ...entry,
    ...(value === undefined ? {} : { value }),
    ...(error === undefined ? {} : { error }),
    attempt,
  };
}
