/** I16 and I22: each call has one child, whose outcome it has; each event one run of the workflow that listens; each heir one life. */
import { isDeepStrictEqual } from "node:util";
import type { Entry, RunDetails } from "@everstep/core";
import { settlementsOf, valueOf } from "./evidence.ts";
import type { LedgerEvent } from "./ledger-events.ts";
import { isAbandoned } from "./saga-invariants.ts";

export function familyProblems(runs: readonly RunDetails[], events: readonly LedgerEvent[]): string[] {
  const byId = new Map(runs.map((details) => [details.run.id, details]));
  const echoes = runs.filter(({ run }) => run.event !== null);
  const undone = new Set(events.filter(({ step }) => step === "child/undo").map(({ run }) => run));
  return [
    ...runs.flatMap((details) => [
      ...startProblems(details, byId),
      ...outcomeProblems(details, byId),
      ...undoProblems(details, undone),
      ...originProblems(details, byId),
      ...eventProblems(details, echoes),
    ]),
    ...echoes
      .filter(({ run }) => !runs.some((other) => emitsOf(other).some((entry) => isOf(run.id, entry))))
      .map(({ run }) => `I22 ${run.id}: nobody emitted its event`),
  ];
}

function startProblems(details: RunDetails, byId: ReadonlyMap<string, RunDetails>): string[] {
  return [...settlementsOf(details, "call"), ...settlementsOf(details, "start")]
    .filter((entry) => entry.error === undefined && !byId.has(String(valueOf(entry))))
    .map(({ key }) => `I16 ${details.run.id}: ${key} was started, and is not there`);
}

/** A call came to what its child came to. */
function outcomeProblems(details: RunDetails, byId: ReadonlyMap<string, RunDetails>): string[] {
  const calls = new Map(settlementsOf(details, "call").map((entry) => [entry.key, entry]));
  return settlementsOf(details, "child")
    .filter((entry) => {
      const call = calls.get(entry.key);
      const child = call === undefined ? undefined : byId.get(String(valueOf(call)))?.run;
      if (entry.error !== undefined) return child?.end !== "failed" && child?.end !== "canceled";
      const result: unknown = JSON.parse(child?.result ?? "null");
      return child?.end !== "completed" || !isDeepStrictEqual(valueOf(entry) ?? null, result);
    })
    .map(({ key }) => `I16 ${details.run.id}: call ${key} did not come to what its child did`);
}

/** Nothing is undone, and the run does not end, before its children have; those that completed are undone with it, and no others. */
function undoProblems(details: RunDetails, undone: ReadonlySet<string>): string[] {
  const { run, journal } = details;
  if (run.workflow !== "family" || run.end === "completed" || run.end === null || isAbandoned(details))
    return [];
  const ended = settlementsOf(details, "child");
  const decidedAt = journal.find(({ kind }) => kind === "unwinding")?.seq ?? journal.length;
  const late = settlementsOf(details, "call").filter(
    ({ key }) => !ended.some((end) => end.key === key && end.seq < decidedAt),
  );
  const isCompleted = ended.some(({ error }) => error === undefined);
  const isUndone = settlementsOf(details, "undo").some(({ key }) => key === "child") && undone.has(run.id);
  return [
    ...late.map(({ key }) => `I16 ${run.id}: was undone, or ended, before the end of ${key}`),
    ...(isCompleted === isUndone
      ? []
      : [`I13 ${run.id}: its child completed: ${isCompleted}, and was undone: ${isUndone}`]),
  ];
}

/** Whose child a run is, that started it; under one key once. */
function originProblems({ run }: RunDetails, byId: ReadonlyMap<string, RunDetails>): string[] {
  const { parent } = run;
  const by = parent === null ? undefined : byId.get(parent.runId);
  if (parent === null || by === undefined) return [];
  const kind = parent.called ? "call" : "start";
  const own = settlementsOf(by, kind).filter(
    (entry) => entry.key === parent.key && valueOf(entry) === run.id,
  );
  return own.length === 1 ? [] : [`I16 ${run.id}: ${parent.runId} started it ${own.length} times`];
}

function emitsOf(details: RunDetails): readonly Entry[] {
  return settlementsOf(details, "emit").filter(({ error }) => error === undefined);
}

/** Its id begins with the name and the id of its event. */
function isOf(runId: string, emit: Entry): boolean {
  const id = String(valueOf(emit)).replaceAll(/[%/~]/g, encodeURIComponent);
  return runId === `born/${id}/echo`;
}

function eventProblems(details: RunDetails, echoes: readonly RunDetails[]): string[] {
  return emitsOf(details).flatMap((entry) => {
    const many = echoes.filter(({ run }) => isOf(run.id, entry)).length;
    return many === 1 ? [] : [`I22 ${details.run.id}: its event started ${many} runs`];
  });
}
