import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Context, Duration, RetryPolicy } from "./context.ts";
import { durationMs } from "./engine/duration.ts";
import { checkName } from "./engine/names.ts";
import { InvalidArgumentError } from "./errors.ts";

export interface WorkflowOptions<I, O> {
  /** Identifies the workflow in the store: at most 200 characters. */
  readonly name: string;
  /** Validates the input at `start`; the handler gets the schema's output. */
  readonly input?: StandardSchemaV1<unknown, I>;
  /** Validates the handler's result; the run's result is the schema's output. */
  readonly output?: StandardSchemaV1<unknown, O>;
  /** A run stays on the version that it was started with; default `"1"`. */
  readonly version?: string;
  /** For steps that have no policy of their own. */
  readonly retry?: RetryPolicy;
  /** From its first claim: then the run is undone and fails with `RunTimeoutError`. */
  readonly timeout?: Duration;
  /** Runs with a higher priority are claimed first; default 0, an integer. */
  readonly priority?: number;
}

/** A workflow's definition; made by `workflow()`, given to `Client.start` and to `Worker`. */
export interface Workflow<I = unknown, O = unknown> {
  readonly name: string;
  readonly version: string;
  readonly options: WorkflowOptions<I, O>;
  readonly handler: (ctx: Context, input: I) => O | Promise<O>;
}

/** A workflow of whatever input and result. */
export type AnyWorkflow = Pick<Workflow, "name" | "version">;

/**
 * Defines a workflow: an ordinary async function whose steps survive crashes. Without an input schema, annotate the
 * handler's parameter. Throws `InvalidArgumentError` for a bad name or option.
 */
export function workflow<I, O>(
  options: WorkflowOptions<I, O>,
  handler: (ctx: Context, input: I) => O | Promise<O>,
): Workflow<I, O> {
  checkName("workflow", options.name);
  if (options.version !== undefined) checkName("version", options.version);
  if (options.timeout !== undefined) durationMs(options.timeout, `timeout of workflow ${options.name}`);
  if (options.priority !== undefined && !Number.isSafeInteger(options.priority)) {
    throw new InvalidArgumentError(
      `workflow ${options.name}: priority must be an integer, not ${options.priority}`,
    );
  }
  return { name: options.name, version: options.version ?? "1", options, handler };
}
