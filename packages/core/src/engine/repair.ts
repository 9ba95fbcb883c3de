/**
 * What to write for a repair of a run that nobody owns: pure, decided on what was read of it (S14).
 *
 * Owns: which entries still count afterwards, and what becomes of the rows of failed attempts. Nothing is deleted by any repair.
 * Does not own: reading, writing, and deciding again when the run changed meanwhile (runtime/repair).
 */
import { InvalidArgumentError, RunStateError } from "../errors.ts";
import type { EntryKind, MendWrite, NewEntry, RetryState, RunDetails } from "../store.ts";
import { doubtsOf } from "./bodies.ts";
import { CLOSING, type EffectiveJournal, effectiveJournal, unheardIn } from "./effective-journal.ts";
import { notedValue } from "./entry-codec.ts";
import { failedEntry } from "./failed-entry.ts";
import { statusOf } from "./status.ts";
import type { Values } from "./values.ts";

/** What a person ordered, as the journal will say it. `id`: the operation's own. */
export interface Order {
  readonly id: string;
  readonly by: string;
  readonly because: string | null;
}

/** What a repair is decided on. */
export interface RepairCase {
  readonly details: RunDetails;
  readonly values: Values;
  readonly order: Order;
}

export interface Mend
  extends Pick<MendWrite, "entries" | "retries" | "settled" | "version" | "phase" | "then"> {
  /** Children that nobody will wait for any more: they are to be canceled. */
  readonly abandons?: readonly string[];
}

/** Entries of what the code asked for, by its key. */
const ASKED: ReadonlySet<EntryKind> = new Set([
  "step",
  "started",
  "timer",
  "signal",
  "pivot",
  "call",
  "child",
  "start",
  "emit",
  "send",
]);
const KEYS_SHOWN_MAX = 30;

/** A failed or canceled run goes on from the step that failed, or from `from`: what succeeded and was not undone is not done again. */
export function retryMend(given: RepairCase, from?: string): Mend {
  const { run } = given.details;
  if (run.end !== "failed" && run.end !== "canceled") throw notToBeRetried(given);
  const journal = effectiveOf(given);
  const bare = bareUndos(given.details.journal);
  if (bare.length > 0)
    throw new RunStateError(
      run.id,
      run.end,
      `its compensation ${bare.join(", ")} was run, and nobody knows which steps that took back: rewind it to the step from which all is to be done again`,
    );
  const failed = failedEntry(given.details, journal.entries, given.values);
  const start =
    from === undefined ? (failed?.seq ?? Number.POSITIVE_INFINITY) : firstSeq(given, journal, from);
  const to = Math.min(start, firstUndone(journal.entries)?.seq ?? start, closingSeq(journal.entries)) - 1;
  const again = from === undefined ? [] : [from];
  return resetMend(given, journal, { operation: "retry", to, carry: true, again });
}

/** A run goes back to before its step `key`: that step and all that came after it is done again, under new idempotency keys. */
export function rewindMend(given: RepairCase, key: string): Mend {
  const { run } = given.details;
  if (run.owner !== null || (run.end === null && run.stuck === null && run.paused === null))
    throw new RunStateError(
      run.id,
      statusOf(run, given.details.now),
      "only a run that has ended, is stuck, or is paused and let go of by its worker can be rewound: pause it first",
    );
  const journal = effectiveOf(given);
  const cut = {
    operation: "rewind",
    to: cutBefore(given, journal, key),
    carry: false,
    again: [key],
  } as const;
  const abandons = abandonedBy(given, journal, cut.to);
  return { ...resetMend(given, journal, cut), ...(abandons.length === 0 ? {} : { abandons }) };
}

/** Of a run that closed they are canceled already. One that has an id of the program's own is another one's as well, and found again by it. */
function abandonedBy({ details, values }: RepairCase, { entries }: EffectiveJournal, cut: number): string[] {
  if (entries.some(({ kind }) => CLOSING.has(kind))) return [];
  const { to } = withChildren(entries, cut, false);
  return unheardIn(entries)
    .filter(({ seq }) => seq > to)
    .map(({ key, value = '""' }) => String(values.fromText(value, key, `the id of child ${key}`)))
    .filter((id) => id.startsWith(`${details.run.id}/`));
}

/** The run is one of another version from now on. `wake`: a stuck one goes on. */
export function moveMend(given: RepairCase, version: string, wake: boolean): Mend {
  const { run } = given.details;
  const note = noteEntry(given, "move", { version, from: run.version });
  const due = wake && run.stuck !== null && run.paused === null;
  return { entries: [note], version, ...rowsAnew(given, []), then: due ? "due" : "stay" };
}

// ------------------------------------------------------------------------------------------ what all repairs share

/** The entry that says who did what, and why. */
export function noteEntry(
  { details, values, order }: RepairCase,
  kind: "reset" | "resolve" | "move",
  facts: Readonly<Record<string, unknown>>,
): NewEntry {
  return nextEntry(details, 1, { kind, key: order.id, value: notedValue(facts, order, values) });
}

export function nextEntry(
  { journal, now }: RunDetails,
  nth: number,
  draft: Pick<NewEntry, "kind" | "key" | "value" | "error">,
): NewEntry {
  return { ...draft, seq: journal.length + nth, at: Math.max(now, journal.at(-1)?.at ?? 0) };
}

export function effectiveOf({ details }: Pick<RepairCase, "details">): EffectiveJournal {
  return effectiveJournal(details.journal);
}

/** Just before the first entry of `key`. Refused when something that would still count was taken back. */
export function cutBefore(given: RepairCase, journal: EffectiveJournal, key: string): number {
  const { run, now } = given.details;
  const to = Math.min(firstSeq(given, journal, key), closingSeq(journal.entries)) - 1;
  const undone = firstUndone(journal.entries);
  if (undone !== undefined && undone.seq <= to)
    throw new RunStateError(
      run.id,
      statusOf(run, now),
      `${undone.key}, which comes before ${key}, was undone: go back to ${undone.key}`,
    );
  return to;
}

/**
 * Children that were started before the cut and came to something after it: the run would wait for them for ever. What they came to is
 * journaled again; or the cut is moved to before their start, when they are to be started anew: told to be canceled, or failed and retried.
 */
export function withChildren(
  entries: readonly NewEntry[],
  cut: number,
  failuresAnew: boolean,
): { readonly to: number; readonly again: readonly NewEntry[] } {
  const closing = entries.find(({ kind }) => CLOSING.has(kind))?.seq;
  const ends = new Map<string, NewEntry>();
  const dropped = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === "child") ends.set(entry.key, entry);
    if (entry.kind === "drop" && entry.seq > cut) dropped.add(entry.key);
  }
  const isAnew = ({ key }: NewEntry): boolean => {
    const end = ends.get(key);
    if (dropped.has(key)) return true;
    // A run that closed told it to be canceled.
    if (end === undefined) return closing !== undefined;
    const isFailure = end.seq > cut && end.error !== undefined;
    return isFailure && (failuresAnew || (closing !== undefined && end.seq > closing));
  };
  const kept = entries.filter(({ kind, seq }) => kind === "call" && seq <= cut);
  const first = kept.find(isAnew);
  if (first !== undefined) return withChildren(entries, first.seq - 1, failuresAnew);
  const again = kept.flatMap(({ key }) => ends.get(key) ?? []).filter(({ seq }) => seq > cut);
  return { to: cut, again: again.toSorted((a, b) => a.seq - b.seq) };
}

/** Rows of failed attempts when the run goes on where it is: what needs a person begins anew, as by `resume`; doubts stay. */
export function rowsAnew(
  { details }: RepairCase,
  except: readonly string[],
): { readonly retries?: readonly RetryState[] } {
  const { run, now, retries } = details;
  const { entries } = effectiveOf({ details });
  const rows = new Map(retries.map((row) => [row.key, row]));
  if (run.interrupted) for (const row of doubtsOf(entries, rows)) rows.set(row.key, row);
  const changed = [...rows.values()]
    .filter((row) => !except.includes(row.key) && (row.nextAt === null || !retries.includes(row)))
    .map((row) => (row.nextAt === null ? { ...row, ...begunAt(now) } : row));
  return changed.length === 0 ? {} : { retries: changed };
}

function begunAt(now: number): Pick<RetryState, "failures" | "firstAt" | "nextAt"> {
  return { failures: 0, firstAt: now, nextAt: now };
}

// ------------------------------------------------------------------------------------------ resets

interface Cut {
  readonly operation: "retry" | "rewind";
  readonly to: number;
  readonly carry: boolean;
  /** Done again, though they succeeded. */
  readonly again: readonly string[];
}

function resetMend(given: RepairCase, { entries }: EffectiveJournal, cut: Cut): Mend {
  const { details } = given;
  const { to, again } = withChildren(entries, cut.to, cut.carry);
  const late = details.run.end === null ? [] : details.messages.filter(({ type }) => type === "cancel");
  const orders = late.length === 0 ? {} : { late: late.map(({ no }) => no) };
  const note = noteEntry(given, "reset", { ...cut, to, ...orders });
  const kept = entries.filter(({ seq }) => seq <= to);
  return {
    entries: [note, ...again.map((entry, index) => nextEntry(details, index + 2, entry))],
    ...rowsAfterReset(given, kept, cut.again),
    phase: "forward",
    then: details.run.paused === null ? "due" : "stay",
  };
}

/** Attempts are counted anew. What may have happened and has no outcome stays in doubt, unless the person has it done again. */
function rowsAfterReset(
  given: RepairCase,
  kept: readonly NewEntry[],
  again: readonly string[],
): Pick<Mend, "retries" | "settled"> {
  const { run, now, retries } = given.details;
  const known = new Map(retries.map((row) => [row.key, row]));
  const { entries } = effectiveOf(given);
  const interrupted = run.interrupted ? doubtsOf(entries, known) : [];
  const settled = new Set(kept.filter(({ kind }) => kind === "step").map(({ key }) => key));
  const doubts = new Map<string, RetryState>();
  for (const row of [...retries, ...interrupted])
    if (row.inDoubt && !row.key.endsWith("#undo") && !settled.has(row.key) && !again.includes(row.key))
      doubts.set(row.key, { key: row.key, inDoubt: true, ...begunAt(now) });
  const over = retries.map(({ key }) => key).filter((key) => !doubts.has(key));
  return {
    ...(doubts.size === 0 ? {} : { retries: [...doubts.values()] }),
    ...(over.length === 0 ? {} : { settled: over }),
  };
}

function closingSeq(entries: readonly NewEntry[]): number {
  const after = (entries.at(-1)?.seq ?? 0) + 1;
  return entries.find(({ kind }) => CLOSING.has(kind))?.seq ?? after;
}

/** The first entry of a step, or where it would be when it has not got any. */
function firstSeq({ details }: RepairCase, { entries }: EffectiveJournal, key: string): number {
  const first = firstOf(entries, key);
  if (first !== undefined) return first.seq;
  if (details.retries.some((row) => row.key === key)) return closingSeq(entries);
  const keys = [...new Set(entries.filter(({ kind }) => ASKED.has(kind)).map((entry) => entry.key))];
  throw new InvalidArgumentError(
    `run ${details.run.id} has no step ${key} in its journal; it has ${listed(keys)}`,
  );
}

export function listed(keys: readonly string[]): string {
  if (keys.length === 0) return "none";
  const more = keys.length > KEYS_SHOWN_MAX ? ` and ${keys.length - KEYS_SHOWN_MAX} more` : "";
  return keys.slice(0, KEYS_SHOWN_MAX).join(", ") + more;
}

function firstOf(entries: readonly NewEntry[], key: string): NewEntry | undefined {
  return entries.find((entry) => entry.key === key && ASKED.has(entry.kind));
}

/** The first entry of the earliest of what was undone. */
function firstUndone(entries: readonly NewEntry[]): NewEntry | undefined {
  const firsts = entries.flatMap(({ kind, key }) => (kind === "undo" ? (firstOf(entries, key) ?? []) : []));
  return firsts.toSorted((a, b) => a.seq - b.seq)[0];
}

/**
 * The compensations of `ctx.compensate` that were carried out when a run with this journal ended. Nothing says which steps they took
 * back: so a run that has any can't be retried, but rewound to a step that a person names.
 */
export function bareUndos(journal: readonly NewEntry[]): readonly string[] {
  const { entries } = effectiveJournal(journal);
  return entries.flatMap(({ kind, key }) =>
    kind === "undo" && firstOf(entries, key) === undefined ? [key] : [],
  );
}

function notToBeRetried({ details }: RepairCase): RunStateError {
  const { run, now } = details;
  const remedy =
    run.stuck !== null
      ? "resume it, or resolve the step that it is stuck at"
      : run.end === "completed"
        ? "it has not failed; rewind it, or fork it, from a step"
        : "only a failed or canceled run can be retried, and this one goes on by itself";
  return new RunStateError(run.id, statusOf(run, now), remedy);
}
