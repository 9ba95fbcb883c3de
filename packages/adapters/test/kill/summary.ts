import type { Evidence } from "./evidence.ts";
import type { WorkerSlot } from "./worker-slot.ts";

/** What the campaign has been through: without some of each it has shown nothing. */
export interface Summary {
  readonly runs: number;
  readonly kills: number;
  /** Between an effect and its journal entry. */
  readonly windowKills: number;
  readonly restarts: number;
  readonly begins: number;
  readonly failures: number;
  /** Of bodies that had begun before and had not failed. */
  readonly reExecutions: number;
  /** Starts whose answer was lost. */
  readonly unknownStarts: number;
  /** Undos of steps of which nobody knows whether they happened. */
  readonly unknownUndos: number;
}

export function summaryOf({ starts, runs, events }: Evidence, slots: readonly WorkerSlot[]): Summary {
  const begins = events.filter(({ type }) => type === "begin");
  const attempts = new Set(begins.map(({ run, step, attempt }) => `${run} ${step} ${attempt}`));
  return {
    runs: runs.length,
    kills: slots.reduce((sum, slot) => sum + slot.kills, 0),
    windowKills: events.filter(({ type }) => type === "caught").length,
    restarts: slots.reduce((sum, slot) => sum + slot.restarts, 0),
    begins: begins.length,
    failures: events.filter(({ type, outcome }) => type === "end" && outcome === "failed").length,
    reExecutions: begins.length - attempts.size,
    unknownStarts: starts.filter(({ tries }) => tries.includes("unknown")).length,
    unknownUndos: begins.filter(({ outcome }) => outcome === "unknown").length,
  };
}

export function lineOf(summary: Summary): string {
  return (
    `runs ${summary.runs}, kills ${summary.kills}, of them ${summary.windowKills} between an effect and its entry, ` +
    `restarts ${summary.restarts}, begins ${summary.begins}, failures ${summary.failures}, ` +
    `re-executions ${summary.reExecutions}, unknown starts ${summary.unknownStarts}, undos of unknown steps ${summary.unknownUndos}`
  );
}
