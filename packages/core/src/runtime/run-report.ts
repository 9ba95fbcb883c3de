/** Runs as people see them: decoded, with dates, and with what counts no more marked as such. */
import { effectiveJournal } from "../engine/effective-journal.ts";
import { decodedValue, entryCodecKey, isRefusedSend } from "../engine/entry-codec.ts";
import { statusOf } from "../engine/status.ts";
import { type Codec, type Values, valuesOf } from "../engine/values.ts";
import { DecodingError } from "../errors.ts";
import type { Entry, EntryKind, RunDetails, RunRecord, RunStatus, WaitNote } from "../store.ts";
import { type PauseReport, pauseReport } from "./notes.ts";
import { stuckText } from "./why.ts";

/** A run as lists show it. */
export interface RunSummary {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  /** The run that started it, and under which of its keys; `called`: that run waited for it. */
  readonly parent: { readonly runId: string; readonly key: string; readonly called: boolean } | null;
  /** The event that started it, as name and id in one path; null for all others. */
  readonly event: string | null;
  /** Not claimed until somebody resumes it. */
  readonly paused: PauseReport | null;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** When it is to go on by itself. */
  readonly dueAt: Date | null;
  readonly waits: readonly WaitNote[];
  readonly stuck: { readonly code: string; readonly message: string; readonly at: Date } | null;
  /** What it failed with, or why it was canceled. In a list, when that can't be decoded: the `DecodingError` that says so. */
  readonly error?: Error;
}

export interface JournalEntry {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly key: string;
  readonly at: Date;
  readonly attempt: number;
  readonly value?: unknown;
  readonly error?: Error;
  /** A retry or a rewind went back to before it: it happened, and counts no more. */
  readonly superseded?: true;
}

/** A run with everything that is stored of it. */
export interface RunReport extends RunSummary {
  /** How often it was claimed. */
  readonly attempts: number;
  readonly input: unknown;
  readonly result?: unknown;
  readonly journal: readonly JournalEntry[];
  /** Steps that failed and will be tried again. */
  readonly retries: readonly {
    readonly step: string;
    readonly failures: number;
    readonly nextAt: Date | null;
    readonly error?: Error;
  }[];
  /** Signals that no wait has taken yet. */
  readonly signals: readonly { readonly name: string; readonly id: string; readonly at: Date }[];
}

export function summaryOf(run: RunRecord, now: number, codec: Codec | undefined): RunSummary {
  const { id, workflow, version, priority, tags, waits, stuck, parent, event } = run;
  const values = valuesOf(id, codec);
  return {
    id,
    workflow,
    version,
    status: statusOf(run, now),
    parent,
    event,
    paused: pauseReport(run.paused, values),
    priority,
    tags,
    createdAt: new Date(run.createdAt),
    startedAt: dateOf(run.startedAt),
    endedAt: dateOf(run.endedAt),
    dueAt: dateOf(run.dueAt),
    waits,
    stuck:
      stuck === null
        ? null
        : { code: stuck.code, message: stuckText(stuck.message, values), at: new Date(stuck.at) },
    ...(run.error === null ? {} : { error: listedError(run.error, values) }),
  };
}

/** Also without the key that it was written with: one such run must not hide all others of a list. */
function listedError(text: string, values: Values): Error {
  try {
    return values.errorFromText(text, "", "its error");
  } catch (error) {
    if (error instanceof DecodingError) return error;
    throw error;
  }
}

export function reportOf(details: RunDetails, codec: Codec | undefined): RunReport {
  const { run, now, journal } = details;
  const values = valuesOf(run.id, codec);
  const counting = new Set(effectiveJournal(journal).entries);
  return {
    ...summaryOf(run, now, codec),
    attempts: run.attempt,
    // An event was encoded before anybody knew the ids of the runs that it starts.
    input: valuesOf(run.event ?? run.id, codec).fromText(run.input, "", "its input"),
    ...(run.result === null ? {} : { result: values.fromText(run.result, "", "its result") }),
    ...(run.error === null ? {} : { error: values.errorFromText(run.error, "", "its error") }),
    journal: journal.map((entry) => ({
      ...decoded(entry, values),
      ...(counting.has(entry) ? {} : { superseded: true }),
    })),
    retries: details.retries.map(({ key, failures, nextAt, error }) => ({
      step: key,
      failures,
      nextAt: dateOf(nextAt),
      ...(error === undefined ? {} : { error: values.errorFromText(error, key, `error of step ${key}`) }),
    })),
    signals: details.messages
      .filter(({ type }) => type === "signal")
      .map(({ name, id, at }) => ({ name, id, at: new Date(at) })),
  };
}

function decoded(entry: Entry, values: Values): JournalEntry {
  const { seq, kind, key, at, attempt, value, error } = entry;
  const errorOf = (text: string): Error =>
    isRefusedSend(entry) ? new Error(text) : values.errorFromText(text, entryCodecKey(entry), `entry ${seq}`);
  return {
    seq,
    kind,
    key,
    at: new Date(at),
    attempt,
    ...(value === undefined ? {} : { value: decodedValue(entry, value, values) }),
    ...(error === undefined ? {} : { error: errorOf(error) }),
  };
}

function dateOf(at: number | null): Date | null {
  return at === null ? null : new Date(at);
}
