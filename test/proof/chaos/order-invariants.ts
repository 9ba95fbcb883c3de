/** F124: what people ask of runs happens once, however many of them ask at the same time. */
import type { RunDetails } from "@everstep/core";
import type { OrderRecord } from "./callers.ts";

export function orderProblems(runs: readonly RunDetails[], orders: readonly OrderRecord[]): string[] {
  const resumes = Map.groupBy(
    orders.filter(({ wish }) => wish === "resume"),
    ({ run }) => run,
  );
  const paused = new Set(orders.flatMap(({ wish, run }) => (wish === "pause" ? [run] : [])));
  return runs.flatMap(({ run, journal }) => {
    const found = journal.filter(({ kind }) => kind === "resume").length;
    const outcomes = (resumes.get(run.id) ?? []).map(({ outcome }) => outcome);
    const done = outcomes.filter((outcome) => outcome === "ok").length;
    const unknown = outcomes.filter((outcome) => outcome === "unknown").length;
    // An order to a run that is executed is a message, and the run may end before it takes it.
    const isMissing = found < done && !paused.has(run.id);
    if (!isMissing && found <= done + unknown) return [];
    return [`F124 ${run.id}: was resumed ${found} times, ${done} were told so, and ${unknown} do not know`];
  });
}
