import type { Entry } from "@everstep/core";
import { type Evidence, valueOf } from "./evidence.ts";
import { isAbandoned } from "./saga-invariants.ts";
import { AT_MOST_ONCE, IN_DOUBT, NOBODY } from "./steps.ts";

/** What the campaign has been through: without some of each it has shown nothing. */
export type Summary = Readonly<Record<string, number>>;

export function summaryOf({ starts, signals, orders, operations, runs, events }: Evidence): Summary {
  const begins = events.filter(({ type }) => type === "begin");
  const attempts = new Set(begins.map(({ run, step, attempt }) => `${run} ${step} ${attempt}`));
  const entries = runs.flatMap(({ journal }) => journal);
  const results = runs.map(({ run }) => run.result ?? "");
  return {
    runs: runs.length,
    "runs accepted": starts.filter(({ tries }) => tries.includes("ok")).length,
    "runs canceled": runs.filter(({ run }) => run.end === "canceled").length,
    begins: begins.length,
    failures: events.filter(({ type, outcome }) => type === "end" && outcome === "failed").length,
    // Of bodies that had begun before and had not failed.
    "re-executions": begins.length - attempts.size,
    "unknown starts": starts.filter(({ tries }) => tries.includes("unknown")).length,
    "undos of unknown steps": begins.filter(({ outcome }) => outcome === "unknown").length,
    "steps in doubt": entries.filter((entry) => entry.key === AT_MOST_ONCE && valueOf(entry) === IN_DOUBT)
      .length,
    "signals taken": entries.filter(({ kind, error }) => kind === "signal" && error === undefined).length,
    "signals too late": signals.filter(({ outcome }) => outcome === "late").length,
    "signals sent twice":
      signals.length - new Set(signals.map(({ run, payload }) => `${run} ${payload}`)).size,
    "signals of which nobody knows": signals.filter(({ outcome }) => outcome === "unknown").length,
    "runs resumed": runs.filter(({ journal }) => journal.some(({ kind }) => kind === "resume")).length,
    "resumes of which nobody knows": countOf(orders, "resume", "unknown"),
    "cancels that came too late": countOf(orders, "cancel", "late"),
    "cancels during the undoing": runs.filter(({ journal }) => isCanceledLate(journal)).length,
    "runs canceled and left as they were": runs.filter(isAbandoned).length,
    children: entries.filter(({ kind }) => kind === "child").length,
    "children canceled": runs.filter(({ run }) => run.parent?.called === true && run.end === "canceled")
      .length,
    "runs of events": runs.filter(({ run }) => run.event !== null).length,
    resets: entries.filter(({ kind }) => kind === "reset").length,
    pauses: entries.filter(({ kind }) => kind === "pause").length,
    "pivots passed": entries.filter(({ kind }) => kind === "pivot").length,
    claims: events.filter(({ type }) => type === "claimed").length,
    charges: operations.filter(({ kind }) => kind === "charged").length,
    refunds: operations.filter(({ kind }) => kind === "refunded").length,
    "waits given up": results.filter((result) => result.includes(`"${NOBODY}"`)).length,
  };
}

function countOf(orders: Evidence["orders"], wish: string, outcome: string): number {
  return orders.filter((order) => order.wish === wish && order.outcome === outcome).length;
}

function isCanceledLate(journal: readonly Entry[]): boolean {
  const decided = journal.findIndex(({ kind }) => kind === "unwinding");
  return decided !== -1 && journal.findLastIndex(({ kind }) => kind === "cancel") > decided;
}

export function lineOf(summary: Summary): string {
  return Object.entries(summary)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

/** What was announced and never happened. */
export function missingIn(summary: Summary): string[] {
  return Object.entries(summary)
    .filter(([, count]) => count === 0)
    .map(([name]) => name);
}
