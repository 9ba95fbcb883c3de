/** A run as plain JSON, to be kept, looked at elsewhere, or put into another store. What a codec sealed stays sealed. */
import { doubtsOf } from "../../engine/bodies.ts";
import { effectiveJournal } from "../../engine/effective-journal.ts";
import { openCalls } from "../../engine/fork.ts";
import { checkRunId } from "../../engine/names.ts";
import { valuesOf } from "../../engine/values.ts";
import { InvalidArgumentError, RunConflictError } from "../../errors.ts";
import type { Entry, EntryKind, ImportWrite, RetryState, RunDetails } from "../../store.ts";
import { type ClientCore, detailsOf } from "../client-core.ts";
import { hashOfInput } from "./forking.ts";
import { checkDone } from "./mending.ts";
import {
  type Check,
  count,
  flag,
  listOf,
  oneOf,
  optional,
  orNull,
  recordOf,
  shape,
  text,
  whole,
} from "./shape.ts";

/** All that is stored of a run, but for messages that were consumed and who owned it. JSON loses nothing of it. */
export interface ExportedRun extends Omit<ImportWrite, "kind"> {
  /** The version of this form. */
  readonly everstep: 1;
}

export async function exportRun(core: ClientCore, id: string): Promise<ExportedRun> {
  const details = await detailsOf(core, id);
  const { run, journal, messages } = details;
  const values = valuesOf(id, core.codec);
  const { entries } = effectiveJournal(journal);
  const {
    owner: _o,
    dueAt: _d,
    inbox: _i,
    waits: _w,
    interrupted: _n,
    strikes: _s,
    strikesAlone: _a,
    ...kept
  } = run;
  const exported: ExportedRun = {
    everstep: 1,
    inputHash: hashOfInput(run, core.codec),
    run: kept,
    journal,
    messages: messages.map(({ no: _no, ...message }) => message),
    retries: rowsOf(details, entries),
    awaits: run.end === null ? openCalls({ values }, entries) : [],
  };
  return JSON.parse(JSON.stringify(exported)) as ExportedRun;
}

/** What may be executed right now has an unknown outcome where the export is read. */
function rowsOf(
  { run, retries }: RunDetails,
  entries: Parameters<typeof doubtsOf>[0],
): readonly RetryState[] {
  if (run.end !== null || (run.owner === null && !run.interrupted)) return retries;
  const rows = new Map(retries.map((row) => [row.key, row]));
  for (const doubt of doubtsOf(entries, rows)) rows.set(doubt.key, doubt);
  return [...rows.values()];
}

/** The id of the run, which is there when this resolves. */
export async function importRun(core: ClientCore, data: unknown): Promise<string> {
  const { everstep: _, ...run } = checked(typeof data === "string" ? parsed(data) : data);
  const { id } = run.run;
  const outcome = await core.write({ kind: "import", ...run });
  if (outcome.is === "conflict") throw new RunConflictError(id, outcome.workflow);
  checkDone(id, outcome, "to import it");
  return id;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new InvalidArgumentError(`what is to be imported is no JSON: ${String(error)}`);
  }
}

function checked(data: unknown): ExportedRun {
  const exported = EXPORTED(data, "what is to be imported");
  const { run, journal } = exported;
  checkRunId(run.id);
  if ((run.phase === "done") !== (run.end !== null))
    throw new InvalidArgumentError(
      `what is to be imported: run ${run.id} is ${run.phase}, and its end is ${run.end}`,
    );
  const gap = journal.findIndex(({ seq }, index) => seq !== index + 1);
  if (gap !== -1)
    throw new InvalidArgumentError(
      `what is to be imported: entry ${gap + 1} of the journal of run ${run.id} is missing`,
    );
  return exported;
}

// ------------------------------------------------------------------------------------------ the shape

const KINDS: Readonly<Record<EntryKind, true>> = {
  step: true,
  timer: true,
  signal: true,
  child: true,
  pivot: true,
  undo: true,
  start: true,
  emit: true,
  send: true,
  call: true,
  drop: true,
  started: true,
  patched: true,
  input: true,
  cancel: true,
  unwinding: true,
  end: true,
  resume: true,
  pause: true,
  resolve: true,
  reset: true,
  move: true,
  fork: true,
};

const ENTRY: Check<Entry> = shape<Entry>({
  seq: count,
  kind: oneOf(...(Object.keys(KINDS) as EntryKind[])),
  key: text,
  at: whole,
  attempt: count,
  value: optional(text),
  error: optional(text),
});

const RUN: Check<ExportedRun["run"]> = shape<ExportedRun["run"]>({
  id: text,
  workflow: text,
  version: text,
  parent: orNull(shape({ runId: text, key: text, called: flag })),
  event: orNull(text),
  raw: flag,
  phase: oneOf("forward", "closing", "compensating", "done"),
  end: orNull(oneOf("completed", "failed", "canceled")),
  attempt: count,
  stuck: orNull(shape({ code: text, message: text, key: optional(text) as Check<string>, at: whole })),
  paused: orNull(shape({ at: whole, note: text })),
  priority: whole,
  tags: recordOf(text),
  input: text,
  result: orNull(text),
  error: orNull(text),
  createdAt: whole,
  startedAt: orNull(whole),
  endedAt: orNull(whole),
  timeoutMs: orNull(whole),
});

const EXPORTED: Check<ExportedRun> = shape<ExportedRun>({
  everstep: oneOf(1),
  inputHash: text,
  run: RUN,
  journal: listOf(ENTRY),
  messages: listOf(
    shape<ExportedRun["messages"][number]>({
      type: oneOf("signal", "cancel", "child", "operator"),
      id: text,
      name: text,
      payload: text,
      at: whole,
    }),
  ),
  retries: listOf(
    shape<RetryState>({
      key: text,
      failures: count,
      firstAt: whole,
      nextAt: orNull(whole),
      error: optional(text) as Check<string>,
      inDoubt: flag,
    }),
  ),
  awaits: listOf(shape({ runId: text, key: text })),
});
