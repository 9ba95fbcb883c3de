/** I13: what is undone, in which order, and when. */
import type { RunDetails } from "@everstep/core";
import { doneAgain, settlementsOf, valueOf } from "./evidence.ts";
import type { LedgerEvent } from "./ledger-events.ts";
import { DECLINED, UNDOABLE } from "./steps.ts";
import { zombiesIn } from "./zombies.ts";

export function compensationProblems(runs: readonly RunDetails[], events: readonly LedgerEvent[]): string[] {
  const eventsOf = Map.groupBy(events, ({ run }) => run);
  const { aside } = zombiesIn(events, doneAgain(runs));
  return runs
    .filter(({ run }) => run.workflow in UNDOABLE && run.end !== null)
    .flatMap((details) => {
      const own = eventsOf.get(details.run.id) ?? [];
      return [
        ...journalProblems(details),
        ...forgottenProblems(details, own),
        ...orderProblems(details, own, aside),
        ...toldProblems(details, own),
      ].map((problem) => `I13 ${details.run.id}: ${problem}`);
    });
}

/** It was canceled by somebody who wanted nothing undone. */
export function isAbandoned({ run, journal }: RunDetails): boolean {
  const [first] = journal.filter(({ kind }) => kind === "cancel").map(valueOf);
  const { compensate } = (first ?? {}) as { readonly compensate?: boolean };
  return run.end === "canceled" && compensate === false && !journal.some(({ kind }) => kind === "unwinding");
}

function isUndone(details: RunDetails): boolean {
  return details.run.end !== "completed" && !isAbandoned(details);
}

/** Every step that was started since the pivot, but for one known not to have happened; in reverse order of start; the bare undo last. */
function journalProblems(details: RunDetails): string[] {
  const undone = settlementsOf(details, "undo").map(({ key }) => key);
  const failed = new Set(
    settlementsOf(details, "step")
      .filter(({ key, error }) => key === DECLINED && error !== undefined)
      .map(({ key }) => key),
  );
  const started = startedSincePivot(details).filter((key) => !failed.has(key));
  // A saga that was canceled before its first step asked for nothing may have registered nothing.
  const isHeld = details.run.workflow === "saga" && (undone.includes("hold") || started.length > 0);
  const expected = isUndone(details) ? [...started.toReversed(), ...(isHeld ? ["hold"] : [])] : [];
  if (undone.join() === expected.join()) return [];
  return [`undid ${undone.join()} instead of ${expected.join()}`];
}

function startedSincePivot({ journal }: RunDetails): readonly string[] {
  const pivot = journal.findLastIndex(({ kind }) => kind === "pivot");
  return journal.filter(({ kind }, index) => kind === "started" && index > pivot).map(({ key }) => key);
}

/** What has begun in the world may have happened, whatever the journal says. */
function forgottenProblems(details: RunDetails, events: readonly LedgerEvent[]): string[] {
  if (!isUndone(details)) return [];
  const undoable = UNDOABLE[details.run.workflow] ?? [];
  const undone = new Set(settlementsOf(details, "undo").map(({ key }) => key));
  const current = new Set(startedSincePivot(details));
  const past = new Set(
    settlementsOf(details, "started")
      .map(({ key }) => key)
      .filter((key) => !current.has(key)),
  );
  const begun = new Set(events.filter(({ type }) => type === "begin").map(({ step }) => step));
  return [...begun]
    .filter((step) => undoable.includes(step) && !undone.has(step) && !past.has(step))
    .map((step) => `${step} began and was not undone`);
}

/** In the world outside: one undo after the other, and nothing forward once they began; but for what a process that woke up did. */
function orderProblems(
  details: RunDetails,
  events: readonly LedgerEvent[],
  aside: ReadonlySet<LedgerEvent>,
): string[] {
  const begins = events.filter(({ type }) => type === "begin");
  const firstUndo = begins.findIndex(({ step }) => step.endsWith("/undo"));
  if (firstUndo === -1) {
    const undone = settlementsOf(details, "undo").length;
    return undone === 0 ? [] : [`${undone} undos are journaled that never began`];
  }
  const expected = settlementsOf(details, "undo").map(({ key }) => `${key}/undo`);
  let place = 0;
  const isInPlace = (begin: LedgerEvent): boolean => {
    if (begin.step === expected[place + 1]) place += 1;
    return begin.step === expected[place] || aside.has(begin);
  };
  const happened = begins.slice(firstUndo);
  // The first one is in its place, or nothing is.
  if (happened.every(isInPlace) && place === expected.length - 1) return [];
  return [`in the world ${happened.map(({ step }) => step).join()} happened, not ${expected.join()}`];
}

/** An undo is told what is known of its step: its result, or that nobody knows. */
function toldProblems(details: RunDetails, events: readonly LedgerEvent[]): string[] {
  const results = new Map(
    settlementsOf(details, "step")
      .filter(({ error }) => error === undefined)
      .map((entry) => [`${entry.key}/undo`, String(valueOf(entry))]),
  );
  return events
    .filter(({ type, step, outcome }) => type === "begin" && step.endsWith("/undo") && outcome !== "")
    .filter(({ step, outcome }) => outcome !== (results.get(step) ?? "unknown"))
    .map(({ step, outcome }) => `${step} was told ${outcome}, known is ${results.get(step) ?? "nothing"}`);
}
