/**
 * What runs did to each other, looked at when all is over:
 * I14 a signal that a run sent is there once · I16 a call has one child, whose outcome is that of the call, and nothing is undone before
 * its end · I22 an event started one run of each workflow. The numbers are those of docs/guarantees.md.
 */
import { effectiveJournal } from "../../engine/effective-journal.ts";
import { valuesOf } from "../../engine/values.ts";
import type { Entry, NewEntry } from "../../store.ts";
import type { MemoryDump, RunDump } from "../memory/dump.ts";

type Stored = Pick<MemoryDump, "runs" | "events" | "purged">;

/** What is wrong, a line each. Of a store whose values no codec has encoded. */
export function brokenRelations(stored: Stored): readonly string[] {
  const runs = new Map(stored.runs.map((run) => [run.id, run]));
  const purged = new Set(stored.purged.map(({ id }) => id));
  return [
    ...stored.runs.flatMap((run) => [
      ...startedBy(run, runs, purged),
      ...outcomesIn(run, runs),
      ...undoneTooSoon(run),
      ...sentBy(run, stored, purged),
    ]),
    ...strangers(runs),
    ...brokenEvents(stored),
  ];
}

/** What an entry says it sent out: the id of a run, a signal or an event. */
function sentId(run: RunDump, { key, value = '""' }: Entry): string {
  return String(valuesOf(run.id, undefined).fromText(value, key, `what ${key} sent`));
}

function isDone({ kind, error, value }: NewEntry, ...kinds: readonly NewEntry["kind"][]): boolean {
  return kinds.includes(kind) && error === undefined && value !== undefined;
}

function startedBy(
  run: RunDump,
  runs: ReadonlyMap<string, RunDump>,
  purged: ReadonlySet<string>,
): readonly string[] {
  return run.journal
    .filter((entry) => isDone(entry, "call", "start"))
    .map((entry) => sentId(run, entry))
    .filter((id) => !runs.has(id) && !purged.has(id))
    .map((id) => `I16: run ${run.id} says that it started ${id}, which is not there`);
}

/** Of each call: it came to what its child came to. A child that a person had go on is another matter. */
function outcomesIn(run: RunDump, runs: ReadonlyMap<string, RunDump>): readonly string[] {
  const called = new Map<string, RunDump>();
  const findings: string[] = [];
  for (const entry of run.journal) {
    const child = isDone(entry, "call") ? runs.get(sentId(run, entry)) : undefined;
    if (child !== undefined) called.set(entry.key, child);
    const own = called.get(entry.key);
    if (entry.kind !== "child" || own === undefined || own.journal.some(({ kind }) => kind === "reset"))
      continue;
    const isSame =
      entry.error === undefined
        ? own.end === "completed" && (entry.value ?? null) === own.result
        : statusIn(entry.error) === own.end;
    if (!isSame)
      findings.push(
        `I16: run ${run.id}: call ${entry.key} came to ${entry.error ?? entry.value}, and run ${own.id} to ${own.end} ${own.result}`,
      );
  }
  return findings;
}

function statusIn(error: string): unknown {
  const { name, props } = JSON.parse(error) as {
    readonly name: string;
    readonly props?: { readonly status?: unknown };
  };
  return name === "ChildFailedError" ? props?.status : undefined;
}

function undoneTooSoon(run: RunDump): readonly string[] {
  return run.journal.flatMap(({ kind, seq }) => {
    if (kind !== "unwinding") return [];
    const { entries } = effectiveJournal(run.journal.slice(0, seq));
    const ended = new Set(entries.flatMap((entry) => (entry.kind === "child" ? [entry.key] : [])));
    return entries
      .filter((entry) => isDone(entry, "call") && !ended.has(entry.key))
      .map(({ key }) => `I16: run ${run.id} decided what to undo before the end of its child ${key}`);
  });
}

function sentBy(run: RunDump, { runs, events }: Stored, purged: ReadonlySet<string>): readonly string[] {
  const sent = (kind: Entry["kind"]): readonly string[] =>
    run.journal.filter((entry) => isDone(entry, kind)).map((entry) => sentId(run, entry));
  const signals = sent("send").flatMap((id) => {
    const times = runs.reduce(
      (sum, { messages }) => sum + messages.filter((one) => one.type === "signal" && one.id === id).length,
      0,
    );
    return times === 1 || (times === 0 && purged.size > 0)
      ? []
      : [`I14: the signal ${id} that run ${run.id} sent is there ${times} times`];
  });
  const lost = sent("emit").filter((id) => !events.some((event) => event.id === id));
  return [...signals, ...lost.map((id) => `I22: the event ${id} that run ${run.id} emitted is not there`)];
}

/** Runs that say a parent started them, and it did not; or too often. */
function strangers(runs: ReadonlyMap<string, RunDump>): readonly string[] {
  const findings: string[] = [];
  const places = new Map<string, number>();
  for (const { id, parent } of runs.values()) {
    const by = parent === null ? undefined : runs.get(parent.runId);
    if (parent === null || by === undefined) continue;
    const own = by.journal.filter(({ key }) => key === parent.key);
    if (!own.some((entry) => isDone(entry, parent.called ? "call" : "start") && sentId(by, entry) === id))
      findings.push(`I16: run ${id} is a child of ${by.id} under ${parent.key}, which did not start it`);
    const place = `${by.id} ${parent.key}`;
    const many = (places.get(place) ?? 0) + 1;
    places.set(place, many);
    if (many > 1 + by.journal.filter(({ kind }) => kind === "reset").length)
      findings.push(`I16: run ${by.id} has ${many} children under ${parent.key}`);
  }
  return findings;
}

function brokenEvents({ runs, events, purged }: Stored): readonly string[] {
  const started = new Map<string, number>();
  const findings: string[] = [];
  for (const event of events) {
    for (const id of event.runs) started.set(id, (started.get(id) ?? 0) + 1);
    const workflows = runs.filter(({ id }) => event.runs.includes(id)).map(({ workflow }) => workflow);
    if (new Set(workflows).size < workflows.length)
      findings.push(`I22: event ${event.id} started two runs of one workflow: ${event.runs.join(", ")}`);
    if (workflows.length < event.runs.length && purged.length === 0)
      findings.push(`I22: event ${event.id} started ${event.runs.join(", ")}, and not all of them are there`);
  }
  for (const { id, event } of runs)
    if (event !== null && started.get(id) !== 1)
      findings.push(`I22: ${started.get(id) ?? 0} events started run ${id}`);
  return findings;
}
