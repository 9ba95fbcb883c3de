/**
 * What runs did to each other.
 *
 * I16 a call has one child, whose outcome is the call's; nothing is undone before its end, and who gave it up told it. I22 an event started one run of
 * each workflow that listens to it. I14 a signal that a run sent arrived once.
 */
import type { Entry } from "@everstep/core";
import type { Evidence } from "./evidence.ts";
import type { Case } from "./judge.ts";
import { LISTENERS, type EventName } from "./program.ts";
import { errorOf, valueOf } from "./reading.ts";

type Run = Evidence["run"];

/** As an id stands in another one. */
export function escaped(id: string): string {
  return id.replaceAll(/[%/~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function isSent({ kind, error }: Entry, ...kinds: readonly Entry["kind"][]): boolean {
  return kinds.includes(kind) && error === undefined;
}

const NEVER = Number.POSITIVE_INFINITY;
/** Until then, whoever has to tell a child that it is canceled has got over its crashes. */
const TOLD_WITHIN_MS = 60_000;

/** Of one run: when its children have to have ended, and which it may give up. */
export function childFindings(known: Case, family: readonly Evidence[]): string[] {
  const { evidence, journal, entries, deeds, decidedAt } = known;
  const isClosed = evidence.run.end !== "completed";
  return journal.flatMap((entry) => {
    const { kind, key, seq } = entry;
    const lostAt = deeds.get(`child ${key}`)?.lostAt ?? NEVER;
    const endedAt = entries.get(`child ${key}`)?.seq ?? NEVER;
    if (kind === "drop" && !(lostAt < seq))
      return [`I16 child ${key} is dropped, and its call was not given up`];
    if (!isSent(entry, "call")) return [];
    if (isClosed && endedAt > Math.min(decidedAt, journal.length))
      return [`I16 its parent undid, or ended, before the end of child ${key}`];
    const overAt = Math.max(seq, Math.min(lostAt, closedAt(known)));
    return endedAt > overAt && lives(entry, family, journal[overAt - 1]?.at ?? NEVER)
      ? [`I16 nobody waits for child ${key} any more, and nobody told it`]
      : [];
  });
}

/** Seq of the entry with which the run closed. */
function closedAt({ reading: { outcome }, canceledAt }: Case): number {
  return Math.min(canceledAt, outcome.ok ? NEVER : outcome.at);
}

/** It went on for long after that, and was not told to be canceled. */
function lives(call: Entry, family: readonly Evidence[], at: number): boolean {
  const child = family.find(({ run }) => run.id === valueOf(call))?.run;
  return (
    child?.end !== null &&
    (child?.endedAt ?? 0) > at + TOLD_WITHIN_MS &&
    child?.messages.some(({ type }) => type === "cancel") === false
  );
}

/** A run, and all that it has led to. */
export function familyFindings(family: readonly Evidence[]): string[] {
  return [
    ...family.flatMap(({ run }) => run.journal.flatMap((entry) => signalFindings(entry, family))),
    ...kinFindings(family),
  ];
}

/** The same without the signals, of which a store tells nothing once they are consumed. */
export function kinFindings(family: readonly Evidence[]): string[] {
  const runs = new Map(family.map(({ run }) => [run.id, run]));
  const [root] = family;
  return family.flatMap(({ run }) => [
    ...run.journal.flatMap((entry) => startFindings(run, entry, runs)),
    ...outcomeFindings(run, runs),
    ...eventFindings(run, family),
    ...(run === root?.run ? [] : originFindings(run, family)),
  ]);
}

function startFindings(run: Run, entry: Entry, runs: ReadonlyMap<string, Run>): string[] {
  if (!isSent(entry, "call", "start")) return [];
  const child = runs.get(String(valueOf(entry)));
  const children = [...runs.values()].filter(
    ({ parent }) => parent?.runId === run.id && parent.key === entry.key,
  );
  return [
    ...(child === undefined ? [`I16 ${entry.kind} ${entry.key} of ${run.id}: its run is not there`] : []),
    ...(children.length > 1 ? [`I16 ${entry.key} of ${run.id} has ${children.length} runs`] : []),
  ];
}

function outcomeFindings(run: Run, runs: ReadonlyMap<string, Run>): string[] {
  const called = new Map(
    run.journal.filter(({ kind }) => kind === "call").map((entry) => [entry.key, entry]),
  );
  return run.journal.flatMap((entry) => {
    const call = entry.kind === "child" ? called.get(entry.key) : undefined;
    const child = call === undefined ? undefined : runs.get(String(valueOf(call)));
    if (child === undefined || isOutcomeOf(entry, child)) return [];
    return [`I16 call ${entry.key} of ${run.id} did not come to what ${child.id} did`];
  });
}

function isOutcomeOf({ value, error }: Entry, child: Run): boolean {
  if (error === undefined) return child.end === "completed" && (value ?? null) === child.result;
  const { name, props } = errorOf(error);
  return name === "ChildFailedError" && props?.["status"] === child.end && props["runId"] === child.id;
}

/** Each run was started by somebody; and a child was canceled only by a parent that gave it up, or that closed itself. */
function originFindings({ id, parent, event, end, messages }: Run, family: readonly Evidence[]): string[] {
  const by = family.find(({ run }) => run.id === parent?.runId)?.run;
  const kind = parent?.called === true ? "call" : "start";
  const isStarted =
    by?.journal.some((entry) => isSent(entry, kind) && entry.key === parent?.key && valueOf(entry) === id) ===
    true;
  if (event === null && !isStarted) return [`I16 ${id}: nobody started it`];
  const order = messages.find(
    (message) => message.type === "cancel" && message.id === `${by?.id}/${parent?.key}`,
  );
  const mayOrder =
    by?.end !== "completed" || by.journal.some((entry) => entry.kind === "drop" && entry.key === parent?.key);
  return order !== undefined && !mayOrder
    ? [`I16 ${id} ended ${end}: its parent canceled it for no reason`]
    : [];
}

const REFUSED: Readonly<Record<string, string>> = { nobody: "not-found", late: "ended completed" };

function signalFindings(entry: Entry, family: readonly Evidence[]): string[] {
  if (entry.kind !== "send") return [];
  const [, what = ""] = /^signal ([a-z]+)/.exec(entry.key) ?? [];
  if (entry.error !== REFUSED[what]) return [`I14 ${entry.key} was answered ${entry.error ?? "done"}`];
  const id = String(valueOf(entry));
  const times = family.reduce(
    (sum, { run }) => sum + run.messages.filter((one) => one.type === "signal" && one.id === id).length,
    0,
  );
  return entry.error === undefined && times !== 1 ? [`I14 ${entry.key} arrived ${times} times`] : [];
}

/** What a run emitted, and which runs that started. */
function eventFindings(run: Run, family: readonly Evidence[]): string[] {
  const emitted = run.journal.filter((entry) => isSent(entry, "emit"));
  const findings = emitted.flatMap((entry) => {
    const name = nameOf(entry.key);
    const workflows = family
      .filter((other) => other.run.event === prefixOf(entry))
      .map((other) => other.run.workflow);
    const expected = Array.from({ length: LISTENERS[name] }, (_, index) => `${name}-${index}`);
    return workflows.toSorted().join() === expected.join()
      ? []
      : [`I22 ${entry.key} of ${run.id} started [${workflows.join()}], not [${expected.join()}]`];
  });
  const isOrphan =
    run.event !== null &&
    !family.some((other) =>
      other.run.journal.some((entry) => isSent(entry, "emit") && prefixOf(entry) === run.event),
    );
  return isOrphan ? [...findings, `I22 ${run.id}: nobody emitted its event`] : findings;
}

function nameOf(key: string): EventName {
  return key.replace(/^emit /, "").replace(/#\d+$/, "") as EventName;
}

/** What the ids of the runs of this event begin with. */
export function prefixOf(entry: Entry): string {
  return `${nameOf(entry.key)}/${escaped(String(valueOf(entry)))}/`;
}
