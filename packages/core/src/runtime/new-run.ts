import type { Duration } from "../context.ts";
import { InvalidArgumentError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import { checkName, checkRunId } from "../engine/names.ts";
import { type Codec, valuesOf } from "../engine/values.ts";
import type { NewRun } from "../store.ts";
import type { Workflow } from "../definition.ts";
import { inputHash } from "./ids.ts";
import { checkSize } from "./limits.ts";

/** When and how a run is to be executed. */
interface RunOptions {
  readonly delay?: Duration | undefined;
  readonly at?: Date | undefined;
  readonly priority?: number | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

export interface RunRequest {
  readonly id: string;
  /** By its name where the code is elsewhere. */
  readonly workflow: Workflow | string;
  /** The schema's output, where the code is here. */
  readonly input: unknown;
  readonly options: RunOptions;
  readonly codec: Codec | undefined;
  readonly maxPayloadBytes: number;
}

/** A run to be, checked and encoded. Throws `InvalidArgumentError`, `SerializationError`, `PayloadTooLargeError`. */
export function newRun({ id, workflow, input, options, codec, maxPayloadBytes }: RunRequest): NewRun {
  checkRunId(id);
  const definition = typeof workflow === "string" ? undefined : workflow;
  const name = typeof workflow === "string" ? workflow : workflow.name;
  checkName("workflow", name);
  const { tags = {} } = options;
  for (const [tag, value] of Object.entries(tags)) {
    checkName("tag", tag);
    checkName(`value of tag ${tag}`, value);
  }
  const priority = options.priority ?? (definition === undefined ? null : (definition.options.priority ?? 0));
  if (priority !== null && !Number.isSafeInteger(priority))
    throw new InvalidArgumentError(`run ${id}: priority must be a whole number, not ${priority}`);
  const plain = valuesOf(id, undefined).toText(input, "", "its input");
  const text = codec === undefined ? plain : valuesOf(id, codec).toText(input, "", "its input");
  const timeout = definition?.options.timeout;
  const due = dueOf(id, options);
  return {
    id,
    workflow: name,
    version: definition?.version ?? null,
    input: checkSize(text, maxPayloadBytes, `run ${id}: its input`),
    inputHash: inputHash(plain),
    priority,
    tags,
    timeoutMs: timeout === undefined ? null : durationMs(timeout, `timeout of workflow ${name}`),
    ...(definition === undefined ? { raw: true } : {}),
    ...(due === undefined ? {} : { due }),
  };
}

function dueOf(id: string, { delay, at }: RunOptions): NewRun["due"] {
  if (delay !== undefined && at !== undefined)
    throw new InvalidArgumentError(`run ${id}: give either delay or at`);
  if (delay !== undefined) return { inMs: durationMs(delay, `delay of run ${id}`) };
  if (at === undefined) return undefined;
  if (!(at instanceof Date) || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError(`run ${id}: at is not a valid date`);
  return { at: at.getTime() };
}
