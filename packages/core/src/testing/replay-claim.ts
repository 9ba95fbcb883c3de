/** A recorded run, in whichever form it was kept, as a claim: what a worker would be handed to go on with it. */
import { durationMs } from "../engine/duration.ts";
import { encodedValue, entryCodecKey } from "../engine/entry-codec.ts";
import { errorOf } from "../engine/error-data.ts";
import { type Codec, type Values, valuesOf } from "../engine/values.ts";
import { InvalidArgumentError } from "../errors.ts";
import { goesOn, type Recorded } from "../runtime/recorded.ts";
import type { JournalEntry, RunReport } from "../runtime/run-report.ts";
import type { Claim, Entry, RetryState, RunDetails, RunRecord } from "../store.ts";
import type { AnyWorkflow, Workflow } from "../definition.ts";

/** A run as recorded: `client.runs.read(id)`, `store.read(id)`, or the JSON of either. */
export type RecordedRun = RunReport | Pick<RunDetails, "run" | "journal" | "messages" | "retries"> | string;

export function recordedAs(
  recorded: RecordedRun,
  definition: AnyWorkflow,
  codec: Codec | undefined,
): Recorded {
  const kept = typeof recorded === "string" ? parsed(recorded) : recorded;
  const claim = isDetails(kept) ? kept : claimOfReport(reportOf(kept), definition as Workflow, codec);
  checkDefinition(claim.run, definition);
  return goesOn(claim);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`what is to be replayed is no JSON: ${String(error)}`);
  }
}

function isDetails(kept: unknown): kept is Claim {
  return typeof kept === "object" && kept !== null && "run" in kept && "journal" in kept;
}

function reportOf(kept: unknown): RunReport {
  if (typeof kept === "object" && kept !== null && "journal" in kept && "workflow" in kept)
    return kept as RunReport;
  throw new InvalidArgumentError(
    "what is to be replayed must be a run as `client.runs.read(id)` or `store.read(id)` give it, or the JSON of that",
  );
}

function checkDefinition({ id, workflow, version }: RunRecord, definition: AnyWorkflow): void {
  if (workflow === definition.name && version === definition.version) return;
  throw new InvalidArgumentError(
    `run ${id} is one of workflow ${workflow} version ${version}, not of ${definition.name} version ${definition.version}: replay it with the code that workers have for its version`,
  );
}

// ------------------------------------------------------------------------------------------ reports

/** A report is decoded, so its values are encoded again; the payloads of signals that no wait has taken are not in it. */
function claimOfReport(report: RunReport, definition: Workflow, codec: Codec | undefined): Claim {
  const values = valuesOf(report.id, codec);
  const { timeout } = definition.options;
  const createdAt = instantOf(report.createdAt);
  return {
    run: {
      id: report.id,
      workflow: report.workflow,
      version: report.version,
      parent: report.parent,
      event: report.event,
      // What came unvalidated was validated when the run began.
      raw: report.journal.some(({ kind }) => kind === "input"),
      phase: "forward",
      end: null,
      owner: null,
      attempt: report.journal.at(-1)?.attempt ?? 0,
      dueAt: null,
      stuck:
        report.stuck === null
          ? null
          : { code: report.stuck.code, message: "", at: instantOf(report.stuck.at) },
      paused: null,
      priority: report.priority,
      tags: report.tags,
      input: values.of(report.event ?? report.id).toText(report.input, "", "its input"),
      result: null,
      error: null,
      inbox: 0,
      strikes: 0,
      strikesAlone: 0,
      interrupted: false,
      waits: report.waits,
      createdAt,
      startedAt: report.startedAt === null ? null : instantOf(report.startedAt),
      endedAt: null,
      timeoutMs: timeout === undefined ? null : durationMs(timeout, "timeout"),
    },
    journal: report.journal.map((entry) => entryOf(entry, values)),
    messages: [],
    retries: report.retries.map((row) => retryOf(row, createdAt)),
  };
}

/** As `client.runs.read` undid it. */
function entryOf(entry: JournalEntry, values: Values): Entry {
  const { seq, kind, key, at, attempt, value, error } = entry;
  const bound = entryCodecKey(entry);
  const text = value === undefined ? undefined : encodedValue(entry, value, values);
  const failed = error === undefined ? undefined : errorFrom(error);
  const kept = { seq, kind, key, at: instantOf(at), attempt };
  if (failed === undefined) return text === undefined ? kept : { ...kept, value: text };
  return text === undefined
    ? { ...kept, error: values.errorToText(failed, bound) }
    : { ...kept, value: text, error: failed.message };
}

function retryOf(row: RunReport["retries"][number], firstAt: number): RetryState {
  const { step, failures, nextAt } = row;
  return {
    key: step,
    failures,
    firstAt,
    nextAt: nextAt === null ? null : instantOf(nextAt),
    inDoubt: false,
  };
}

/** JSON keeps of an error no more than its own properties. */
function errorFrom(error: unknown): Error {
  if (error instanceof Error) return error;
  const { name = "Error", message = "", ...props } = Object(error) as Readonly<Record<string, unknown>>;
  return errorOf({ name, message, props });
}

function instantOf(at: number | string | Date): number {
  return typeof at === "number" ? at : new Date(at).getTime();
}
