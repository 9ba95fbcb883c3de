/** Writes as the cases need them: everything has a default, and only what matters is said. */
import type {
  AdvanceWrite,
  Claim,
  EmitWrite,
  EndStatus,
  Entry,
  EntryKind,
  ImportWrite,
  MendWrite,
  MessageWrite,
  NewEntry,
  NewEvent,
  NewMessage,
  NewRun,
  OperateWrite,
  PauseWorkflowWrite,
  PurgeWrite,
  RetryState,
  Send,
  StartWrite,
  StuckNote,
  Then,
  WaitNote,
  WorkflowSpec,
} from "../../store.ts";

/** A workflow as its workers tell of it. */
export function spec(name: string, version = "1", given: Partial<WorkflowSpec> = {}): WorkflowSpec {
  return { name, version, on: null, priority: 0, timeoutMs: null, ...given };
}

export const ORDER: WorkflowSpec = spec("order");

/** Before the suite was written, so that no store's clock is behind it. */
export const LONG_AGO: number = Date.UTC(2025, 0, 1);
/** After anybody still runs it. */
export const FAR_AWAY: number = Date.UTC(2200, 0, 1);
export const HOUR_MS = 3_600_000;

/** A run that somebody owns: what an advance must name to be accepted. */
export interface OwnedRun {
  readonly runId: string;
  readonly attempt: number;
}

type RunOptions = Partial<Omit<NewRun, "id">>;
type StartOptions = RunOptions & { readonly claim?: boolean };

export function start(id: string, { claim = false, ...run }: StartOptions = {}): StartWrite {
  return { kind: "start", run: newRun(id, run), claim };
}

function newRun(id: string, run: RunOptions): NewRun {
  const input = run.input ?? '{"sku":"tea"}';
  return {
    id,
    workflow: ORDER.name,
    version: ORDER.version,
    input,
    inputHash: `hash of ${input}`,
    priority: 0,
    tags: {},
    timeoutMs: null,
    ...run,
  };
}

export const EVENT = "cart:checked-out";

export function emit(id: string, given: Partial<Omit<NewEvent, "id">> = {}): EmitWrite {
  return { kind: "emit", event: newEvent(id, given) };
}

function newEvent(id: string, given: Partial<Omit<NewEvent, "id">>): NewEvent {
  const payload = given.payload ?? '{"cart":7}';
  return {
    name: EVENT,
    id,
    payload,
    codecId: `event ${id}`,
    payloadHash: `hash of ${payload}`,
    runPrefix: `${given.name ?? EVENT}/${id}/`,
    ...given,
  };
}

export function signal(
  runId: string,
  id: string,
  { name = "approval", payload = "true" }: { readonly name?: string; readonly payload?: string } = {},
): MessageWrite {
  return { kind: "message", runId, message: { type: "signal", id, name, payload } };
}

export function cancel(runId: string, id: string): MessageWrite {
  return { kind: "message", runId, message: { type: "cancel", id, name: "", payload: "null" } };
}

let operations = 0;

/** Each is another wish, even of the same run. */
function operation(): string {
  operations += 1;
  return `operation-${operations}`;
}

export function resume(runId: string, value = '"by the bench"'): OperateWrite {
  return { kind: "operate", runId, operation: "resume", id: operation(), value };
}

export function pause(runId: string, value = '"by the bench"'): OperateWrite {
  return { kind: "operate", runId, operation: "pause", id: operation(), value };
}

/** Paused with a note, resumed with null. */
export function pauseWorkflow(workflow: string, note: string | null = '"by the bench"'): PauseWorkflowWrite {
  return { kind: "pause-workflow", workflow, note };
}

/** Of a run as it was read: a `reset` makes it due, unless something else is said. */
export function mend(
  { run, journal }: Pick<Claim, "run" | "journal">,
  changes: Partial<Omit<MendWrite, "kind" | "runId">> = {},
): MendWrite {
  const reset = entry(journal.length + 1, { kind: "reset", key: operation(), value: '"by the bench"' });
  const { id: runId, attempt } = run;
  return { kind: "mend", runId, attempt, length: journal.length, entries: [reset], then: "due", ...changes };
}

export const purge = (runId: string): PurgeWrite => ({ kind: "purge", runId });

type ImportOptions = Partial<Omit<ImportWrite, "kind" | "run" | "inputHash">> & {
  readonly run?: Partial<ImportWrite["run"]>;
};

/** A run that was begun elsewhere and waits for nothing. */
export function importing(id: string, { run = {}, ...rest }: ImportOptions = {}): ImportWrite {
  const { due: _, ...given } = newRun(id, {});
  const { inputHash, ...told } = given;
  const begun: ImportWrite["run"] = {
    ...told,
    version: ORDER.version,
    priority: 0,
    parent: null,
    event: null,
    raw: false,
    phase: "forward",
    end: null,
    attempt: 1,
    stuck: null,
    paused: null,
    result: null,
    error: null,
    createdAt: LONG_AGO,
    startedAt: LONG_AGO + 1,
    endedAt: null,
    ...run,
  };
  return {
    kind: "import",
    run: begun,
    inputHash,
    journal: [],
    messages: [],
    retries: [],
    awaits: [],
    ...rest,
  };
}

interface ChildOptions extends RunOptions {
  readonly key?: string;
  readonly awaited?: boolean;
}

/** Starts a child with the entry `seq`, under its own id as the key. */
export function sendStart(seq: number, id: string, options: ChildOptions = {}): Send {
  const { key = id, awaited = false, ...run } = options;
  return { kind: "start", seq, run: newRun(id, run), key, awaited };
}

export function sendMessage(
  seq: number | null,
  { runId, message }: { runId: string; message: NewMessage },
): Send {
  return { kind: "message", seq, runId, message };
}

export function sendEvent(seq: number, id: string, given: Partial<Omit<NewEvent, "id">> = {}): Send {
  return { kind: "emit", seq, event: newEvent(id, given) };
}

export function entry(seq: number, given: Partial<Omit<NewEntry, "seq">> = {}): NewEntry {
  return { seq, kind: "step", key: `step-${seq}`, at: LONG_AGO + seq, value: `"result ${seq}"`, ...given };
}

/** Entries with these seqs, both included. */
export function entries(from: number, to: number, kind: EntryKind = "step"): NewEntry[] {
  return Array.from({ length: to - from + 1 }, (_, index) => entry(from + index, { kind }));
}

/** The entry as it is read back. */
export function written(entry: NewEntry, attempt = 1): Entry {
  return { ...entry, attempt };
}

export function advance(
  { runId, attempt }: OwnedRun,
  changes: Partial<Omit<AdvanceWrite, "kind" | "runId" | "attempt">> = {},
): AdvanceWrite {
  return { kind: "advance", entries: [], ...changes, runId, attempt };
}

export function park(
  inbox: number,
  { dueAt = null, waits = [] }: { readonly dueAt?: number | null; readonly waits?: readonly WaitNote[] } = {},
): Then {
  return { do: "park", dueAt, inbox, waits };
}

export const RELEASE: Then = { do: "release" };

export function stick(given: Partial<StuckNote> = {}): Then {
  return { do: "stick", stuck: { code: "BUG", message: '"a bug"', at: LONG_AGO, ...given } };
}

export function end(
  status: EndStatus = "completed",
  given: { readonly result?: string; readonly error?: string } = {},
): Then {
  return { do: "end", status, ...given };
}

export function retry(key: string, given: Partial<RetryState> = {}): RetryState {
  return {
    key,
    failures: 1,
    firstAt: LONG_AGO,
    nextAt: FAR_AWAY,
    inDoubt: false,
    error: '"ECONNREFUSED"',
    ...given,
  };
}
