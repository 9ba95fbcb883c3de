/** I14 and I15: what ends a wait, and when. */
import type { RunDetails } from "@everstep/core";
import type { SignalRecord } from "./callers.ts";
import { settlementsOf, valueOf } from "./evidence.ts";
import { NAP_MS, PATIENCE_MS } from "./steps.ts";

export function waitProblems(runs: readonly RunDetails[], signals: readonly SignalRecord[]): string[] {
  const sentTo = Map.groupBy(signals, ({ run }) => run);
  return runs.flatMap((details) => {
    const { id, workflow, end } = details.run;
    return [
      ...signalProblems(details, sentTo.get(id) ?? []).map((problem) => `I14 ${id}: ${problem}`),
      ...(workflow === "gather" && end === "completed" ? napProblems(details) : []),
      ...(workflow === "bell" ? patienceProblems(details) : []),
    ];
  });
}

/** Each signal that was accepted is taken by one wait or still there; what was refused, and nothing else is known of it, is neither. */
function signalProblems(details: RunDetails, sent: readonly SignalRecord[]): string[] {
  const { run } = details;
  const messages = details.messages.filter(({ type }) => type === "signal");
  const taken = settlementsOf(details, "signal")
    .filter(({ error }) => error === undefined)
    .map((entry) => String(valueOf(entry)));
  const unread = messages.map(({ payload }) => String(valueOf({ value: payload })));
  const found = new Set([...taken, ...unread]);
  const accepted = new Set(sent.filter(({ outcome }) => outcome === "ok").map(({ payload }) => payload));
  const known = new Set(sent.map(({ payload }) => payload));
  const refused = new Set(sent.filter(({ outcome }) => outcome === "late").map(({ payload }) => payload));
  for (const { payload, outcome } of sent) if (outcome !== "late") refused.delete(payload);
  return [
    ...taken
      .filter((payload, index) => taken.indexOf(payload) < index || unread.includes(payload))
      .map((payload) => `took ${payload} twice`),
    ...[...accepted].filter((payload) => !found.has(payload)).map((payload) => `lost ${payload}`),
    ...taken
      .filter((payload) => !known.has(payload) && !payload.startsWith(`echo of ${run.id},`))
      .map((payload) => `took ${payload}, which nobody sent`),
    ...[...refused]
      .filter((payload) => found.has(payload))
      .map((payload) => `has ${payload}, which it refused`),
    ...(run.workflow === "gather" && run.end === "completed" && taken.length !== 1
      ? [`took ${taken.length} signals`]
      : []),
  ];
}

function napProblems(details: RunDetails): string[] {
  const nap = settlementsOf(details, "timer").find(({ key }) => key === "nap");
  const fellAsleepAt = Math.max(
    ...settlementsOf(details, "step")
      .filter(({ key }) => ["a", "b", "c"].includes(key))
      .map(({ at }) => at),
  );
  if (nap !== undefined && nap.at >= fellAsleepAt + NAP_MS) return [];
  return [`I15 ${details.run.id}: did not sleep long enough`];
}

function patienceProblems(details: RunDetails): string[] {
  const open = settlementsOf(details, "step").find(({ key }) => key === "open");
  const givenUp = settlementsOf(details, "signal").find(({ error }) => error !== undefined);
  if (givenUp === undefined || givenUp.at >= (open?.at ?? 0) + PATIENCE_MS) return [];
  return [`I15 ${details.run.id}: gave up too early`];
}
