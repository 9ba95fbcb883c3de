/** I14, I15: what a run waits for. */
import type { Entry } from "@everstep/core";
import type { Case } from "./judge.ts";
import type { Deed } from "./reading.ts";

/** I14: each signal is taken by one wait, and by none that nobody answers. */
export function signalFindings({ evidence, journal, deeds }: Case): string[] {
  const { messages } = evidence.run;
  const findings: string[] = [];
  const owners = new Map<string, Entry>();
  for (const entry of journal) {
    if (entry.kind !== "signal" || entry.value === undefined) continue;
    const before = owners.get(entry.value);
    const message = messages.find(({ type, payload }) => type === "signal" && payload === entry.value);
    if (message?.name !== nameOf(entry.key)) findings.push(`I14 ${entry.key} got what nobody sent it`);
    if (before !== undefined && deeds.get(`signal ${before.key}`)?.gotAt === before.seq)
      findings.push(`I14 ${entry.key} got what ${before.key} had got`);
    if (before === undefined && message?.consumedBy !== entry.seq)
      findings.push(`I14 the signal of ${entry.key} is consumed by ${message?.consumedBy}`);
    owners.set(entry.value, entry);
  }
  for (const { id, type, consumedBy, payload, name } of messages) {
    const entry = consumedBy === null ? undefined : journal[consumedBy - 1];
    const isTaken =
      entry?.kind === (type === "operator" ? name : type) &&
      (type === "cancel" ||
        type === "operator" ||
        (type === "child" ? entry.key === name : entry.value === payload));
    if (consumedBy !== null && !isTaken)
      findings.push(`I14 message ${id} is consumed by entry ${consumedBy}`);
    if (
      type === "child" &&
      consumedBy === null &&
      journal.some((one) => one.kind === type && one.key === name)
    )
      findings.push(`I14 the end of child ${name} is taken, and was not consumed`);
  }
  const cancels = journal.filter(({ kind }) => kind === "cancel");
  if (cancels.some(({ seq }) => !messages.some(({ consumedBy }) => consumedBy === seq)))
    findings.push("I14 a cancel is recorded that consumed no message");
  const lost = (evidence.sent ?? []).filter((id) => !messages.some((message) => message.id === id));
  return [...findings, ...lost.map((id) => `I14 signal ${id} was accepted, and is lost`)];
}

/** I15: no timer and no timeout before it is due. */
export function timerFindings(known: Case): string[] {
  return known.journal
    .filter(({ kind, error }) => kind === "timer" || (kind === "signal" && error !== undefined))
    .filter((entry) => !(entry.at >= dueOf(known, entry)))
    .map(({ kind, key }) => `I15 ${kind} ${key} was over before its time`);
}

/** The code's time is that of the entry that it had got last. `NaN` when such an ask has no due time. */
function dueOf({ evidence, journal, deeds }: Case, { kind, key }: Pick<Entry, "kind" | "key">): number {
  const deed: Deed | undefined = deeds.get(`${kind} ${key}`);
  if (deed === undefined || !("ms" in deed.node)) return Number.NaN;
  const startedAt = evidence.run.startedAt ?? evidence.run.createdAt;
  const askedAt = deed.at === 0 ? startedAt : (journal[deed.at - 1]?.at ?? Number.NaN);
  return askedAt + deed.node.ms;
}

/** I14: a signal that was accepted before the deadline of its wait wins over the timeout, and none that came after it does. */
export function deadlineFindings(known: Case): string[] {
  const { journal, evidence, deeds } = known;
  if (evidence.jumped === true) return [];
  const waits = journal.filter(
    ({ kind, key }) => kind === "signal" && deeds.get(`signal ${key}`)?.node.do === "maybe",
  );
  return waits.flatMap((entry) => {
    const dueAt = dueOf(known, entry);
    const own = evidence.run.messages.filter(({ name }) => name === nameOf(entry.key));
    const isFree = (consumedBy: number | null): boolean => consumedBy === null || consumedBy > entry.seq;
    if (entry.error !== undefined && own.some(({ at, consumedBy }) => at < dueAt && isFree(consumedBy)))
      return [`I14 ${entry.key} timed out though its signal had come`];
    if (own.some(({ at, consumedBy }) => at > dueAt && consumedBy === entry.seq))
      return [`I14 ${entry.key} took what came after its deadline`];
    return [];
  });
}

function nameOf(key: string): string {
  return key.replace(/#\d+$/, "");
}
