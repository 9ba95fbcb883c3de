/** I13: what is undone, in which order, and when. */
import type { RunDetails } from "@everstep/core";
import { settlementsOf, valueOf } from "./evidence.ts";
import type { LedgerEvent } from "./ledger-events.ts";
import { DECLINED } from "./workflows.ts";
import { zombiesIn } from "./zombies.ts";

export function compensationProblems(runs: readonly RunDetails[], events: readonly LedgerEvent[]): string[] {
  const eventsOf = Map.groupBy(events, ({ run }) => run);
  const { aside } = zombiesIn(events);
  return runs
    .filter(({ run }) => run.workflow === "saga" && run.end !== null)
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

/** Every step that was started, but for one known not to have happened; in reverse order of start; the bare undo last. */
function journalProblems(details: RunDetails): string[] {
  const undone = settlementsOf(details, "undo").map(({ key }) => key);
  const failed = new Set(
    settlementsOf(details, "step")
      .filter(({ key, error }) => key === DECLINED && error !== undefined)
      .map(({ key }) => key),
  );
  const started = settlementsOf(details, "started")
    .map(({ key }) => key)
    .filter((key) => !failed.has(key));
  // A saga that was canceled before its first step asked for nothing may have registered nothing.
  const hold = undone.includes("hold") || started.length > 0 ? ["hold"] : [];
  const expected = [...started.toReversed(), ...hold];
  if (undone.join() === expected.join()) return [];
  return [`undid ${undone.join()} instead of ${expected.join()}`];
}

/** What has begun in the world may have happened, whatever the journal says. */
function forgottenProblems(details: RunDetails, events: readonly LedgerEvent[]): string[] {
  const undone = new Set(settlementsOf(details, "undo").map(({ key }) => key));
  const begun = new Set(events.filter(({ type }) => type === "begin").map(({ step }) => step));
  return [...begun]
    .filter((step) => !step.endsWith("/undo") && step !== DECLINED && !undone.has(step))
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
