/** A person says what became of a step that has not settled: pure, as all of a repair's decisions. */
import { FatalError, InvalidArgumentError, RunStateError, StepFailedError } from "../errors.ts";
import type { NewEntry, WaitNote } from "../store.ts";
import { effectiveOf, listed, type Mend, nextEntry, noteEntry, type RepairCase, rowsAnew } from "./repair.ts";
import { statusOf } from "./status.ts";

export type Resolution =
  | { readonly as: "result"; readonly value: unknown }
  | { readonly as: "error"; readonly error: unknown }
  /** Its effect did not happen, or may happen again: the same idempotency key, but for a compensation that was refused for good. */
  | { readonly as: "rerun" }
  | { readonly as: "skip" };

/** Settles a step of a run that nobody executes, or one compensation of a run that is being undone. */
export function resolveMend(given: RepairCase, step: string, resolution: Resolution): Mend {
  const { run } = given.details;
  if (run.owner !== null)
    throw stateError(given, "pause it first, and wait until its worker has let go of it");
  if (run.end !== null) throw stateError(given, "it has ended: retry it, rewind it or fork it");
  const { entries } = effectiveOf(given);
  const unwinding = entries.find(({ kind }) => kind === "unwinding");
  if (unwinding === undefined) checkIsOpen(given, entries, step);
  else checkIsToBeUndone(given, entries, unwinding, step);
  const row = unwinding === undefined ? step : `${step}#undo`;
  const newKey = unwinding !== undefined && resolution.as === "rerun" && isRefused(given, row);
  const note = noteEntry(given, "resolve", { step, as: resolution.as, ...(newKey ? { newKey } : {}) });
  const then = run.paused === null ? "due" : "stay";
  const others = rowsAnew(given, [row]).retries ?? [];
  if (resolution.as === "rerun") {
    const { now } = given.details;
    const anew = { key: row, failures: 0, firstAt: now, nextAt: now, inDoubt: false };
    return { entries: [note], retries: [...others, anew], then };
  }
  const settlement =
    unwinding === undefined ? stepEntry(given, step, resolution) : undoEntry(given, step, resolution);
  return {
    entries: [note, settlement],
    ...(others.length === 0 ? {} : { retries: others }),
    ...(given.details.retries.some(({ key }) => key === row) ? { settled: [row] } : {}),
    then,
  };
}

/** It failed for good, and that is known: a timeout or an outage leaves open what became of it, and is asked about under the same key. */
function isRefused({ details, values }: RepairCase, row: string): boolean {
  const failed = details.retries.find(({ key }) => key === row);
  if (failed?.error === undefined || failed.nextAt !== null) return false;
  try {
    return values.errorFromText(failed.error, row, "its error") instanceof FatalError;
  } catch {
    // Without the key that it was written with nobody knows.
    return false;
  }
}

function stateError({ details }: RepairCase, remedy: string): RunStateError {
  return new RunStateError(details.run.id, statusOf(details.run, details.now), remedy);
}

function checkIsOpen(given: RepairCase, entries: readonly NewEntry[], step: string): void {
  const { retries } = given.details;
  const waits = standingWaits(given);
  if (entries.some(({ kind, key }) => kind === "step" && key === step))
    throw stateError(given, `step ${step} has settled: rewind the run to it to have it done again`);
  const other =
    waits.find(({ kind, key }) => kind !== "retry" && key === step) ??
    entries.find(({ kind, key }) => kind !== "started" && key === step && kind !== "patched");
  const { id } = given.details.run;
  if (other !== undefined)
    throw new InvalidArgumentError(`run ${id}: ${step} is a ${other.kind}; only a step can be resolved`);
  const settled = new Set(entries.filter(({ kind }) => kind === "step").map(({ key }) => key));
  const open = new Set(
    entries.filter(({ kind, key }) => kind === "started" && !settled.has(key)).map(({ key }) => key),
  );
  for (const { key } of retries) if (!settled.has(key) && !key.endsWith("#undo")) open.add(key);
  for (const { kind, key } of waits) if (kind === "retry") open.add(key);
  if (!open.has(step))
    throw new InvalidArgumentError(
      `run ${id} has no step ${step} that was begun and has not settled; of those it has ${listed([...open])}`,
    );
}

/** What the run said that it waits for, unless it was changed since then, and nobody knows how far it comes now. */
function standingWaits({ details }: RepairCase): readonly WaitNote[] {
  const { run, journal } = details;
  const isChanged = journal.some(
    ({ kind, attempt }) => (kind === "reset" || kind === "move") && attempt === run.attempt,
  );
  return isChanged ? [] : run.waits;
}

function checkIsToBeUndone(
  given: RepairCase,
  entries: readonly NewEntry[],
  unwinding: NewEntry,
  step: string,
): void {
  const { run } = given.details;
  const { keys } = JSON.parse(unwinding.value ?? "{}") as { readonly keys: readonly string[] };
  const undone = new Set(entries.filter(({ kind }) => kind === "undo").map(({ key }) => key));
  const left = keys.filter((key) => !undone.has(key));
  if (!left.includes(step))
    throw new InvalidArgumentError(
      `run ${run.id} is being undone, and ${step} is none of the compensations that are left: ${listed(left)}`,
    );
}

/** The code sees what it would have seen of a body that returned this, or that threw a `FatalError`. */
function stepEntry(
  { details, values }: RepairCase,
  step: string,
  resolution: Exclude<Resolution, { readonly as: "rerun" }>,
): NewEntry {
  if (resolution.as === "error") {
    const attempts = details.retries.find(({ key }) => key === step)?.failures ?? 0;
    const error = new StepFailedError({ runId: details.run.id, step, attempts }, fatal(resolution.error));
    return nextEntry(details, 2, { kind: "step", key: step, error: values.errorToText(error, step) });
  }
  const value = resolution.as === "result" ? resolution.value : undefined;
  const text = value === undefined ? undefined : values.toText(value, step, `the result of step ${step}`);
  return nextEntry(details, 2, { kind: "step", key: step, value: text });
}

function fatal(error: unknown): FatalError {
  if (error instanceof FatalError) return error;
  if (!(error instanceof Error)) return new FatalError(String(error));
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  return new FatalError(error.message, { ...code, cause: error });
}

function undoEntry(given: RepairCase, step: string, { as }: Resolution): NewEntry {
  if (as === "error")
    throw new InvalidArgumentError(
      `run ${given.details.run.id}: the compensation of ${step} has nobody to whom an error could be given; skip it, or have it run again`,
    );
  return nextEntry(given.details, 2, { kind: "undo", key: step });
}
