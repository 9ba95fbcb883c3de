/** When a run is suspected of ending its workers' processes, and when that is certain. */
import type { RunRecord } from "../store.ts";

/** Deaths of its workers without progress between them: from here on the run gets the process to itself. */
export const SUSPECT_STRIKES: number = 2;
/**
 * A suspect that finds another one here comes back after at most this long. Each draws its own moment: they come many at once,
 * and would meet again if all of them waited equally long.
 */
export const SUSPECT_WAIT_MAX_MS: number = 1000;
/** Deaths while nothing but this run was executing: it needs a person. */
const POISON_STRIKES = 5;

/** To be canceled and undone, a run gets as many deaths again: its bodies do not run any more, but its handler does. */
export function isPoison({ strikesAlone }: RunRecord, cancelOrdered: boolean): boolean {
  return strikesAlone >= POISON_STRIKES * (cancelOrdered ? 2 : 1);
}

export function poisonText({ id, strikesAlone }: RunRecord): string {
  return `run ${id}: its worker died ${strikesAlone} times while nothing but this run was executing. Find what ends the process (out of memory, process.exit, an endless loop) or keeps it from answering for longer than its lease, deploy a fix, and resume the run.`;
}
