import { randomUUID } from "node:crypto";
import { RunNotFoundError, RunStateError, StoreError } from "../errors.ts";
import { checkRunId } from "../engine/names.ts";
import { statusOf } from "../engine/status.ts";
import { type Values, valuesOf } from "../engine/values.ts";
import type { EntryKind, RunDetails, RunFilter, RunRecord, RunStatus, WaitNote } from "../store.ts";
import type { ClientCore } from "./client.ts";
import { stuckText, whyOf } from "./why.ts";

/** A run as lists show it. */
export interface RunSummary {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** When it is to go on by itself. */
  readonly dueAt: Date | null;
  readonly waits: readonly WaitNote[];
  readonly stuck: { readonly code: string; readonly message: string; readonly at: Date } | null;
}

export interface JournalEntry {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly key: string;
  readonly at: Date;
  readonly attempt: number;
  readonly value?: unknown;
  readonly error?: Error;
}

/** A run with everything that is stored of it. */
export interface RunReport extends RunSummary {
  readonly input: unknown;
  readonly result?: unknown;
  readonly error?: Error;
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

export interface ListOptions extends RunFilter {
  /** Default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
  readonly order?: "newest" | "oldest";
}

/** `client.runs`: looking at runs, and mending them. */
export class Runs {
  readonly #core: ClientCore;

  constructor(core: ClientCore) {
    this.#core = core;
  }

  async list(
    options: ListOptions = {},
  ): Promise<{ readonly runs: readonly RunSummary[]; readonly next: string | null }> {
    const { limit = 100, after, order, ...filter } = options;
    const page = await this.#core.store.list(filter, {
      limit,
      ...(after === undefined ? {} : { after }),
      ...(order === undefined ? {} : { order }),
    });
    return { runs: page.runs.map((run) => summaryOf(run, page.now, this.#values(run.id))), next: page.next };
  }

  count(filter: RunFilter = {}): Promise<number> {
    return this.#core.store.count(filter);
  }

  /** Everything stored of one run, decoded. Throws `RunNotFoundError`, and `DecodingError` without the right codec. */
  async read(id: string): Promise<RunReport> {
    return reportOf(await this.#details(id), this.#values(id));
  }

  /** One paragraph: what the run waits for, since when, until when, what to do. */
  async why(id: string): Promise<string> {
    return whyOf(await this.#details(id), this.#values(id));
  }

  /** A stuck run goes on where it was; used-up retries begin anew. Throws `RunStateError` when it is not stuck. */
  async resume(id: string, options: { readonly because?: string } = {}): Promise<void> {
    checkRunId(id);
    const value = this.#values(id).toText({ because: options.because ?? null }, "", "the reason");
    const outcome = await this.#core.write({
      kind: "operate",
      runId: id,
      operation: "resume",
      id: randomUUID(),
      value,
    });
    if (outcome.is === "not-found") throw new RunNotFoundError(id);
    if (outcome.is === "wrong-state")
      throw new RunStateError(id, outcome.status, "only a stuck run can be resumed; nothing was changed");
    if (outcome.is === "refused")
      throw new StoreError(`run ${id}: the store refused to resume it: ${outcome.reason}`);
  }

  #values(id: string): Values {
    return valuesOf(id, this.#core.codec);
  }

  async #details(id: string): Promise<RunDetails> {
    checkRunId(id);
    const details = await this.#core.store.read(id);
    if (details === undefined) throw new RunNotFoundError(id);
    return details;
  }
}

function summaryOf(run: RunRecord, now: number, values: Values): RunSummary {
  const { id, workflow, version, priority, tags, waits, stuck } = run;
  return {
    id,
    workflow,
    version,
    status: statusOf(run, now),
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
        : {
            code: stuck.code,
            message: stuckText(stuck.message, values),
            at: new Date(stuck.at),
          },
  };
}

function reportOf(details: RunDetails, values: Values): RunReport {
  const { run, now } = details;
  return {
    ...summaryOf(run, now, values),
    input: values.fromText(run.input, "", "its input"),
    ...(run.result === null ? {} : { result: values.fromText(run.result, "", "its result") }),
    ...(run.error === null ? {} : { error: values.errorFromText(run.error, "", "its error") }),
    journal: details.journal.map(({ seq, kind, key, at, attempt, value, error }) => ({
      seq,
      kind,
      key,
      at: new Date(at),
      attempt,
      ...(value === undefined
        ? {}
        : {
            value:
              kind === "unwinding"
                ? (JSON.parse(value) as unknown)
                : values.fromText(value, codecKey(kind, key), `entry ${seq}`),
          }),
      ...(error === undefined
        ? {}
        : { error: values.errorFromText(error, codecKey(kind, key), `entry ${seq}`) }),
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

/** What an entry's text was bound to when it was encoded: a signal to its name, which is its key without the count. */
function codecKey(kind: EntryKind, key: string): string {
  if (kind === "signal") return key.replace(/#\d+$/, "");
  return kind === "step" ? key : "";
}

function dateOf(at: number | null): Date | null {
  return at === null ? null : new Date(at);
}
