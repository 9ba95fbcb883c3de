import type { Context } from "./context.ts";
import type { Workflow, WorkflowOptions } from "./definition.ts";
import { durationMs } from "./engine/duration.ts";
import { checkName } from "./engine/names.ts";
import { InvalidArgumentError } from "./errors.ts";

/**
 * Defines a workflow: an ordinary async function whose steps survive crashes. Without an input schema, annotate the
 * handler's parameter. Throws `InvalidArgumentError` for a bad name or option.
 */
export function workflow<I, H, O>(
  options: WorkflowOptions<I, O, H> & Required<Pick<WorkflowOptions<I, O, H>, "input">>,
  handler: (ctx: Context, input: H) => O | Promise<O>,
): Workflow<I, O>;
export function workflow<I, O>(
  options: WorkflowOptions<I, O>,
  handler: (ctx: Context, input: I) => O | Promise<O>,
): Workflow<I, O>;
export function workflow<I, O>(
  options: WorkflowOptions<unknown, O>,
  handler: (ctx: Context, input: never) => O | Promise<O>,
): Workflow<I, O> {
  checkName("workflow", options.name);
  if (options.version !== undefined) checkName("version", options.version);
  if (options.timeout !== undefined) durationMs(options.timeout, `timeout of workflow ${options.name}`);
  if (options.on !== undefined) checkName("event", options.on);
  checkRetention(options);
  if (options.priority !== undefined && !Number.isSafeInteger(options.priority)) {
    throw new InvalidArgumentError(
      `workflow ${options.name}: priority must be an integer, not ${options.priority}`,
    );
  }
  return { name: options.name, version: options.version ?? "1", options, handler };
}

function checkRetention({
  name,
  retention,
}: {
  readonly name: string;
  readonly retention?: WorkflowOptions<never, never>["retention"];
}): void {
  const durations = typeof retention === "object" ? Object.values(retention) : [retention];
  for (const duration of durations)
    if (duration !== undefined) durationMs(duration, `retention of workflow ${name}`);
}
