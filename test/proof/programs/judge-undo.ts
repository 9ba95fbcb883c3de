/** I13: what is undone, in which order, and when. */
import type { Case } from "./judge.ts";
import type { Entry } from "@everstep/core";
import { type Deed, errorOf, valueOf } from "./reading.ts";

export function undoFindings(known: Case): string[] {
  const { journal, executions, evidence } = known;
  const decisions = journal.filter(({ kind }) => kind === "unwinding");
  const undone = journal.filter(({ kind }) => kind === "undo");
  const expected = evidence.run.end === "completed" ? [] : undoneKeys(known);
  const decided = decisions.flatMap(
    ({ value }) => (JSON.parse(value ?? "{}") as { readonly keys: readonly string[] }).keys,
  );
  const findings: string[] = [];
  if (decided.join() !== expected.join())
    findings.push(`I13 the decision is to undo [${decided.join()}], not [${expected.join()}]`);
  if (undone.map(({ key }) => key).join() !== expected.join())
    findings.push(`I13 undone are [${undone.map(({ key }) => key).join()}], not [${expected.join()}]`);
  const decision = decisions[0];
  for (const [index, key] of expected.entries()) {
    const own = executions.get(`undo ${key}`) ?? [];
    const before = index === 0 ? decision : undone[index - 1];
    if (own.length === 0) findings.push(`I13 undo ${key} never ran`);
    if (own.filter(({ ended }) => ended === "returned").length > 1 && !evidence.faulty)
      findings.push(`I13 undo ${key} succeeded more than once`);
    if (own.some(({ durable, thawed }) => thawed !== true && durable < (before?.seq ?? 0)))
      findings.push(`I13 undo ${key} began before its turn`);
    findings.push(...toldFindings(known, key));
  }
  const more = [...executions.keys()].filter(
    (name) => name.startsWith("undo ") && !expected.includes(name.slice(5)),
  );
  return [...findings, ...more.map((name) => `I13 ${name} ran, and there is nothing to undo`)];
}

/** What was started with a compensation since the last pivot and is not known not to have happened, in reverse order of start. */
function undoneKeys({ reading, entries, watching, decidedAt }: Case): string[] {
  const { deeds } = reading;
  const pivots = deeds.filter(({ kind, key }) => kind === "pivot" && entries.has(`pivot ${key}`));
  const last = Math.max(-1, ...pivots.map((deed) => watching.orderOf(deed)));
  return deeds
    .filter((deed) => watching.orderOf(deed) > last)
    .filter((deed) => deed.kind === "undo" || (isUndoable(deed) && mayHaveHappened(deed, entries, decidedAt)))
    .toSorted((a, b) => watching.orderOf(b) - watching.orderOf(a))
    .map(({ key }) => key);
}

function isUndoable({ kind, node }: Deed): boolean {
  if (kind === "child") return node.do === "call" && node.undo !== undefined;
  return kind === "step" && node.do === "step" && node.undo?.startsWith("own") === true;
}

/** A child that did not complete has undone itself; a step whose outcome a person's retry carried over was started before. */
function mayHaveHappened(
  { kind, key }: Deed,
  entries: ReadonlyMap<string, Entry>,
  decision: number,
): boolean {
  const ended = entries.get(`child ${key}`);
  if (kind === "child") return ended !== undefined && ended.error === undefined && ended.seq < decision;
  const settled = entries.get(`step ${key}`);
  const error = settled?.error;
  const began = entries.get(`started ${key}`) ?? (error === undefined ? settled : undefined);
  if (began === undefined || began.seq > decision) return false;
  return error === undefined || errorOf(error).cause?.props?.["happened"] !== false;
}

/** An undo is told its step's result, or that nobody knows. */
function toldFindings({ entries, executions }: Case, key: string): string[] {
  const settled = entries.get(`step ${key}`) ?? entries.get(`child ${key}`);
  const known = settled === undefined || settled.error !== undefined ? "unknown" : String(valueOf(settled));
  return (executions.get(`undo ${key}`) ?? [])
    .filter(({ told }) => told !== undefined && told !== known)
    .map(({ told }) => `I13 undo ${key} was told ${told}, known is ${known}`);
}
