import type {
  AdvanceWrite,
  ImportWrite,
  MendWrite,
  NewEntry,
  NewEvent,
  NewMessage,
  NewRun,
  OperateWrite,
  RetryState,
  StartWrite,
  Then,
  Write,
} from "@everstep/core";
import type { Extra, Rest, Row, Wave } from "./waves.ts";

export function addWrite(wave: Wave, write: Write, i: number): void {
  switch (write.kind) {
    case "start":
      return addStart(wave, write, i);
    case "advance":
      return addAdvance(wave, write, i);
    case "message":
      return void restOf(wave, "messages").push(messageColumns(write, i));
    case "operate":
      return void restOf(wave, "operations").push(operationRow(write, i));
    case "emit":
      return void extraOf(wave, "emits").push(emitRow(write.event, i));
    case "mend":
      return void extraOf(wave, "mends").push(mendRow(write, i));
    case "pause-workflow":
      return void extraOf(wave, "pauses").push({ i, workflow: write.workflow, note: write.note });
    case "purge":
      return void extraOf(wave, "purges").push({ i, run: write.runId });
    case "import":
      return void extraOf(wave, "imports").push(importRow(write, i));
    case "shipped":
      return addShipped(wave, write.nos, i);
    case "leave":
  }
}

function restOf(wave: Wave, part: keyof Rest): Row[] {
  return ((wave.rest ??= {})[part] ??= []);
}

type ExtraRows = "emits" | "mends" | "pauses" | "purges" | "imports";

function extraOf(wave: Wave, part: ExtraRows): Row[] {
  return (((wave.extra ??= {}) as Record<ExtraRows, Row[] | undefined>)[part] ??= []);
}

function addStart(wave: Wave, { run, claim }: StartWrite, i: number): void {
  (wave.starts ??= []).push({ ...startRow(run, i), claim: isClaimable(run, claim) });
  for (const row of tagRows(run.tags, i)) restOf(wave, "given").push(row);
  if (run.version === null || run.priority === null) ((wave.extra ??= {}).names ??= []).push(run.workflow);
}

/** Whether it is born claimed, as far as the write tells. */
export function isClaimable({ due, version }: NewRun, claim: boolean): boolean {
  return claim && due === undefined && version !== null;
}

export function startRow(run: NewRun, i: number): Row {
  const { id, workflow, version, input, inputHash: hash, priority, timeoutMs: timeout, due, raw } = run;
  const row = { i, id, workflow, version, input, hash, priority, timeout, raw };
  if (due === undefined) return row;
  return { ...row, ...("at" in due ? { due: Math.ceil(due.at) } : { delay: Math.ceil(due.inMs) }) };
}

export function tagRows(tags: Readonly<Record<string, string>>, i: number): readonly Row[] {
  return Object.entries(tags).map(([name, value]) => ({ i, name, value }));
}

/** Between two writes of a batch, room for what the first one sends out. */
export const PLACES = 1_000_000;

export function emitRow(event: NewEvent, i: number): Row {
  const { name, id, payload, codecId: codec, payloadHash: hash, runPrefix: prefix } = event;
  return { i, place: i * PLACES, name, id, payload, codec, hash, prefix };
}

export function messageColumns(
  { runId: run, message }: { readonly runId: string; readonly message: NewMessage },
  i: number,
): Row {
  const { type, id, name, payload } = message;
  return { i, run, type, id, name, payload };
}

function addAdvance(wave: Wave, write: AdvanceWrite, i: number): void {
  const { runId, attempt, entries, consume, retries, settled, tags, then } = write;
  const columns = (wave.advances ??= { i: [], id: [], attempt: [], first: [], seen: [] });
  columns.i.push(i);
  columns.id.push(runId);
  columns.attempt.push(attempt);
  columns.first.push(firstOf(entries));
  columns.seen.push(then?.do === "park" ? then.inbox : null);
  if (entries.length > 0) addEntries(wave, entries, i);
  for (const [no, seq] of consume ?? []) restOf(wave, "consumes").push({ i, no, seq });
  for (const retry of retries ?? []) restOf(wave, "retries").push(retryRow(retry, i));
  for (const key of settled ?? []) restOf(wave, "settled").push({ i, key });
  for (const row of tagRows(tags ?? {}, i)) restOf(wave, "tags").push(row);
  const changes = changesOf(write);
  if (changes !== undefined) (wave.changes ??= []).push({ i, ...changes });
}

function addEntries(wave: Wave, entries: readonly NewEntry[], i: number): void {
  const columns = (wave.entries ??= { i: [], seq: [], kind: [], key: [], at: [], value: [], error: [] });
  for (const { seq, kind, key, at, value = null, error = null } of entries) {
    columns.i.push(i);
    columns.seq.push(seq);
    columns.kind.push(kind);
    columns.key.push(key);
    columns.at.push(at);
    columns.value.push(value);
    columns.error.push(error);
  }
}

/** The seq of the first entry; of entries with a gap one that never fits, so that they are refused. */
function firstOf(entries: readonly NewEntry[]): number | null {
  const first = entries[0]?.seq;
  if (first === undefined) return null;
  return entries.every(({ seq }, index) => seq === first + index) ? first : 0;
}

function retryRow({ key, failures, firstAt, nextAt, error, inDoubt }: RetryState, i: number): Row {
  return { i, key, failures, first_at: firstAt, next_at: nextAt, error, in_doubt: inDoubt };
}

function changesOf({ phase, progressed, alone, then }: AdvanceWrite): object | undefined {
  if (phase === undefined && progressed === undefined && alone === undefined && then === undefined)
    return undefined;
  return { phase, progressed, alone, ...(then === undefined ? {} : letGo(then)) };
}

function letGo(then: Then): object {
  switch (then.do) {
    case "park":
      return {
        act: then.do,
        due: then.dueAt === null ? null : Math.ceil(then.dueAt),
        waits: then.waits.length === 0 ? null : JSON.stringify(then.waits),
      };
    case "release":
      return { act: then.do, interrupted: then.interrupted };
    case "stick":
      return { act: then.do, stuck: JSON.stringify(then.stuck) };
    case "end":
      return { act: then.do, status: then.status, result: then.result, error: then.error };
  }
}

function operationRow({ runId: run, operation, id, value }: OperateWrite, i: number): Row {
  return { i, run, operation, id, value };
}

function mendRow(write: MendWrite, i: number): Row {
  const { runId: run, attempt, length, entries, retries, settled, version, phase, then: act } = write;
  const [{ kind, key }] = entries;
  return {
    i,
    run,
    attempt,
    length,
    first: firstOf(entries),
    kind,
    key,
    entries,
    // Of one run alone, so the first.
    retries: retries?.map((retry) => retryRow(retry, 1)),
    settled: settled === "all" ? undefined : settled,
    settles_all: settled === "all",
    version,
    phase,
    act,
  };
}

function importRow(
  { run, inputHash: hash, journal, messages, retries, awaits }: ImportWrite,
  i: number,
): Row {
  const first = firstOf(journal);
  return {
    i,
    run: importedRun(run, hash),
    entries: journal,
    messages: messages.map((message, index) => ({ no: index + 1, ...message })),
    retries: retries.map((retry) => retryRow(retry, 1)),
    tags: tagRows(run.tags, 1),
    awaits: awaits.map(({ runId, key }) => ({ run: runId, key })),
    sound: first === null || first === 1,
  };
}

function importedRun(run: ImportWrite["run"], hash: string): object {
  const { id, workflow, version, priority, phase, attempt, event, raw, input, result, error } = run;
  const same = { id, workflow, version, priority, phase, attempt, event, raw, hash, input, result, error };
  return {
    ...same,
    ended: run.end,
    stuck: run.stuck && JSON.stringify(run.stuck),
    paused: run.paused && JSON.stringify(run.paused),
    parent: run.parent?.runId,
    parent_key: run.parent?.key,
    called: run.parent?.called ?? false,
    created_at: run.createdAt,
    started_at: run.startedAt,
    ended_at: run.endedAt,
    timeout_ms: run.timeoutMs,
  };
}

function addShipped(wave: Wave, nos: readonly number[], i: number): void {
  const shipped: NonNullable<Extra["shipped"]> = ((wave.extra ??= {}).shipped ??= { i: [], nos: [] });
  shipped.i.push(i);
  shipped.nos.push(...nos);
}
