/** Writes as the cases need them: everything has a default, and only what matters is said. */
import type {
  AdvanceWrite,
  EndStatus,
  Entry,
  EntryKind,
  MessageWrite,
  NewEntry,
  OperateWrite,
  RetryState,
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

type StartOptions = Partial<Omit<StartWrite["run"], "id">> & { readonly claim?: boolean };

export function start(id: string, { claim = false, ...run }: StartOptions = {}): StartWrite {
  const input = run.input ?? '{"sku":"tea"}';
  return {
    kind: "start",
    run: {
      id,
      workflow: ORDER.name,
      version: ORDER.version,
      input,
      inputHash: `hash of ${input}`,
      priority: 0,
      tags: {},
      timeoutMs: null,
      ...run,
    },
    claim,
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
export function resume(runId: string, value = '"by the bench"'): OperateWrite {
  operations += 1;
  return { kind: "operate", runId, operation: "resume", id: `operation-${operations}`, value };
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
