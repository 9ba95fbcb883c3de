/** The form of an exported run, and whether what is to be imported has it: it may have been edited, or be something else. */
import { INSTANT_MAX } from "../../engine/duration.ts";
import { checkName, checkRunId } from "../../engine/names.ts";
import { InvalidArgumentError } from "../../errors.ts";
import type { Entry, EntryKind, ImportWrite, RetryState } from "../../store.ts";
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

/** Throws `InvalidArgumentError` with the place of what is wrong. */
export function checkExported(data: unknown): ExportedRun {
  const exported = EXPORTED(data, "what is to be imported");
  const { run, journal, messages } = exported;
  checkRunId(run.id);
  checkName("workflow", run.workflow);
  checkName("version", run.version);
  const isDone = run.phase === "done";
  if (isDone !== (run.end !== null) || isDone !== (run.endedAt !== null))
    throw refusal(`run ${run.id} is ${run.phase}, its end is ${run.end}, and it ended at ${run.endedAt}`);
  if (isDone && (run.stuck !== null || run.paused !== null))
    throw refusal(`run ${run.id} has ended, and can't be stuck or paused`);
  if (!isDone && (run.result !== null || run.error !== null))
    throw refusal(`run ${run.id} has not ended, and can't have come to anything`);
  const gap = journal.findIndex(({ seq }, index) => seq !== index + 1);
  if (gap !== -1) throw refusal(`entry ${gap + 1} of the journal of run ${run.id} is missing`);
  for (const entry of journal) checkPlain(entry);
  const known = new Set<string>();
  for (const { type, id } of messages) {
    const message = `${type} ${id}`;
    if (known.has(message)) throw refusal(`message ${message} of run ${run.id} is there twice`);
    known.add(message);
  }
  return exported;
}

/** What nobody could go on with the run without reading is plain JSON. */
function checkPlain({ seq, kind, value }: Entry): void {
  const check = PLAIN[kind];
  if (check === undefined) return;
  const path = `what is to be imported.journal[${seq - 1}].value`;
  check(jsonAt(value, path), path);
}

function jsonAt(value: string | undefined, path: string): unknown {
  try {
    return JSON.parse(value ?? "");
  } catch {
    throw new InvalidArgumentError(`${path} must be JSON`);
  }
}

function refusal(what: string): InvalidArgumentError {
  return new InvalidArgumentError(`what is to be imported: ${what}`);
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

const instant: Check<number> = (value, path) => {
  const at = whole(value, path);
  if (Math.abs(at) <= INSTANT_MAX) return at;
  throw new InvalidArgumentError(`${path} must be an instant, in milliseconds since the epoch; it is ${at}`);
};

const ENTRY: Check<Entry> = shape<Entry>({
  seq: count,
  kind: oneOf(...(Object.keys(KINDS) as EntryKind[])),
  key: text,
  at: instant,
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
  stuck: orNull(shape({ code: text, message: text, key: optional(text) as Check<string>, at: instant })),
  paused: orNull(shape({ at: instant, note: text })),
  priority: whole,
  tags: recordOf(text),
  input: text,
  result: orNull(text),
  error: orNull(text),
  createdAt: instant,
  startedAt: orNull(instant),
  endedAt: orNull(instant),
  timeoutMs: orNull(count),
});

const PLAIN: { readonly [K in EntryKind]?: Check<object> } = {
  reset: shape({
    operation: oneOf("retry", "rewind"),
    to: count,
    carry: flag,
    again: optional(listOf(text)),
    late: optional(listOf(count)),
    note: text,
  }),
  resolve: shape({
    step: text,
    as: oneOf("result", "error", "rerun", "skip"),
    newKey: optional(flag),
    note: text,
  }),
  move: shape({ version: text, from: text, note: text }),
  fork: shape({ from: text, to: count, note: text }),
  unwinding: shape({
    cause: shape({
      status: oneOf("failed", "canceled"),
      error: text,
      compensate: flag,
    }),
    keys: listOf(text),
  }),
};

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
      at: instant,
    }),
  ),
  retries: listOf(
    shape<RetryState>({
      key: text,
      failures: count,
      firstAt: instant,
      nextAt: orNull(instant),
      error: optional(text) as Check<string>,
      inDoubt: flag,
    }),
  ),
  awaits: listOf(shape({ runId: text, key: text })),
});
