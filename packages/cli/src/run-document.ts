/** One run with all that is known of it, as `show` answers it. */
import {
  type Client,
  DecodingError,
  type JournalEntry,
  type RunReport,
  type Store,
  statusOf,
} from "@everstep/core";
import { errorDocument, type ErrorDocument, isoOf, type RunDocument, runDocument } from "./documents.ts";

export interface ShowDocument extends RunDocument {
  /** How often a worker took it on. */
  readonly attempts: number;
  /** Only with `--show-payloads`. */
  readonly input?: unknown;
  /** Only with `--show-payloads`, of a run that completed. */
  readonly result?: unknown;
  readonly journal: readonly EntryDocument[];
  readonly retries: readonly RetryDocument[];
  readonly signals: readonly { readonly name: string; readonly id: string; readonly at: string }[];
  readonly children: readonly ChildDocument[];
  /** Values and errors are sealed, and can't be read without the right `--codec`. */
  readonly sealed: boolean;
}

export interface EntryDocument {
  readonly seq: number;
  readonly kind: string;
  readonly key: string;
  readonly at: string;
  /** Since it began, where that is journaled; else since the entry before it. */
  readonly tookMs: number;
  readonly attempt: number;
  /** A retry or rewind went back to before it: it happened, and counts no more. */
  readonly superseded: boolean;
  readonly error: ErrorDocument | null;
  /** What a person ordered, who and why. */
  readonly order?: Readonly<Record<string, unknown>>;
  /** Only with `--show-payloads`. */
  readonly value?: unknown;
}

interface RetryDocument {
  readonly step: string;
  readonly failures: number;
  readonly nextAt: string | null;
  readonly error: ErrorDocument | null;
}

export interface ChildDocument {
  readonly id: string;
  readonly key: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: string;
  readonly called: boolean;
  readonly children: readonly ChildDocument[];
}

export interface ShowOptions {
  readonly payloads: boolean;
}

export async function showDocument(
  { client, store }: { readonly client: Client; readonly store: Store },
  id: string,
  { payloads }: ShowOptions,
): Promise<ShowDocument> {
  const { report, sealed } = await readRun(client, store, id);
  return {
    ...runDocument(report),
    attempts: report.attempts,
    ...(payloads && !sealed ? { input: plain(report.input), ...resultOf(report) } : {}),
    journal: entries(report.journal, payloads && !sealed),
    retries: report.retries.map(({ step, failures, nextAt, error }) => ({
      step,
      failures,
      nextAt: isoOf(nextAt),
      error: errorDocument(error),
    })),
    signals: report.signals.map(({ at, ...signal }) => ({ ...signal, at: at.toISOString() })),
    children: await childrenOf(client, id, CHILD_LEVELS),
    sealed,
  };
}

interface Read {
  readonly report: RunReport;
  readonly sealed: boolean;
}

/** Also without the keys that it was written with: then what is not sealed. */
export async function readRun(client: Client, store: Store, id: string): Promise<Read> {
  try {
    return { report: await client.runs.read(id), sealed: false };
  } catch (error) {
    if (!(error instanceof DecodingError)) throw error;
    return { report: await sealedReport(client, store, id, error), sealed: true };
  }
}

/** Whoever lacks the keys sees what is not sealed: where the run is, what it did, and when. */
async function sealedReport(
  client: Client,
  store: Store,
  id: string,
  why: DecodingError,
): Promise<RunReport> {
  const [details, { runs }] = await Promise.all([store.read(id), client.runs.list({ ids: [id] })]);
  const [summary] = runs;
  if (details === undefined || summary === undefined) throw why;
  const { run, journal, retries, messages, now } = details;
  const sealed = new Error("sealed: its codec is needed to read it");
  return {
    ...summary,
    status: statusOf(run, now),
    attempts: run.attempt,
    input: undefined,
    ...(run.error === null ? {} : { error: sealed }),
    journal: journal.map(({ seq, kind, key, at, attempt, error }) => ({
      seq,
      kind,
      key,
      attempt,
      at: new Date(at),
      ...(error === undefined ? {} : { error: sealed }),
    })),
    retries: retries.map(({ key, failures, nextAt, error }) => ({
      step: key,
      failures,
      nextAt: nextAt === null ? null : new Date(nextAt),
      ...(error === undefined ? {} : { error: sealed }),
    })),
    signals: messages
      .filter(({ type }) => type === "signal")
      .map(({ name, id: signalId, at }) => ({ name, id: signalId, at: new Date(at) })),
  };
}

function resultOf(report: RunReport): { readonly result?: unknown } {
  return "result" in report ? { result: plain(report.result) } : {};
}

const ORDERS: ReadonlySet<string> = new Set([
  "resume",
  "pause",
  "resolve",
  "reset",
  "move",
  "fork",
  "cancel",
]);

export function entries(journal: readonly JournalEntry[], payloads: boolean): readonly EntryDocument[] {
  const begun = new Map<string, number>();
  let before = journal[0]?.at.getTime() ?? 0;
  return journal.map((entry) => {
    const { seq, kind, key, at, attempt, error, value, superseded } = entry;
    const from = (kind === "step" || kind === "child" ? begun.get(key) : undefined) ?? before;
    if (kind === "started" || kind === "call") begun.set(key, at.getTime());
    before = at.getTime();
    const isOrder = ORDERS.has(kind);
    return {
      seq,
      kind,
      key,
      at: at.toISOString(),
      tookMs: before - from,
      attempt,
      superseded: superseded === true,
      error: errorDocument(error),
      ...(isOrder && typeof value === "object" && value !== null ? { order: orderOf(value) } : {}),
      ...(payloads && !isOrder && value !== undefined ? { value: plain(value) } : {}),
    };
  });
}

function orderOf(value: object): Readonly<Record<string, unknown>> {
  return plain(value) as Readonly<Record<string, unknown>>;
}

const CHILD_LEVELS = 3;
const CHILDREN_MAX = 100;

async function childrenOf(client: Client, parent: string, levels: number): Promise<readonly ChildDocument[]> {
  const { runs } = await client.runs.list({ parent, limit: CHILDREN_MAX, order: "oldest" });
  return Promise.all(
    runs.map(async ({ id, workflow, version, status, parent: link }) => ({
      id,
      workflow,
      version,
      status,
      key: link?.key ?? "",
      called: link?.called ?? false,
      children: levels > 1 ? await childrenOf(client, id, levels - 1) : [],
    })),
  );
}

/** Values that JSON can't hold, as texts: a value is shown for people, `export` is for programs. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member === "bigint") return `${member}n`;
    if (member instanceof Map) return { Map: [...member] };
    if (member instanceof Set) return { Set: [...member] };
    if (member instanceof Error) return errorDocument(member);
    if (typeof member === "number" && !Number.isFinite(member)) return String(member);
    return member;
  }) as string | undefined;
  return text === undefined ? null : (JSON.parse(text) as unknown);
}
