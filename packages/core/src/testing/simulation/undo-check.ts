/** P6: of a run that failed or was canceled, everything that may have happened is undone. */
import { FatalError } from "../../errors.ts";
import type { RunReport } from "../../runtime/run-report.ts";
import type { BodyRecord } from "./bodies.ts";

/** What should have been undone and was not. */
export function brokenUndos(run: RunReport, bodies: readonly BodyRecord[]): readonly string[] {
  if ((run.status !== "failed" && run.status !== "canceled") || isCanceledAsItIs(run)) return [];
  const passedAt = run.journal.findLast(({ kind }) => kind === "pivot")?.seq ?? 0;
  const seqOf = (kind: string, key: string): number | undefined =>
    run.journal.find((entry) => entry.kind === kind && entry.key === key)?.seq;
  const keys = new Set(
    bodies
      .filter(({ runId, isCompensated }) => runId === run.id && isCompensated)
      .flatMap(({ stepKey }) => (stepKey === undefined ? [] : [stepKey])),
  );
  return [...keys]
    .filter((key) => (seqOf("started", key) ?? 0) > passedAt && !isKnownNotToHave(run, key))
    .filter((key) => seqOf("undo", key) === undefined)
    .map((key) => `P6: run ${run.id} ended ${run.status}, and step ${key} began and was not undone`);
}

function isCanceledAsItIs(run: RunReport): boolean {
  const order = run.journal.find(({ kind }) => kind === "cancel")?.value;
  return typeof order === "object" && order !== null && "compensate" in order && order.compensate === false;
}

function isKnownNotToHave(run: RunReport, key: string): boolean {
  const error = run.journal.find((entry) => entry.kind === "step" && entry.key === key)?.error;
  return error?.cause instanceof FatalError && error.cause.happened === false;
}
