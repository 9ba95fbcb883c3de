import type { Context, StepOptions } from "../context.ts";
import { InvalidArgumentError } from "../errors.ts";
import { RunContext } from "./run-context.ts";

/**
 * For adapters: a step whose body is SQL in the store's own transaction, committed together with its journal entry. The
 * adapter's typed `transaction` wraps it.
 */
export function transactStep<T>(
  ctx: Context,
  name: string,
  sql: (tx: unknown) => T,
  options?: Pick<StepOptions<T>, "key" | "retry">,
): Promise<T> {
  if (!(ctx instanceof RunContext))
    throw new InvalidArgumentError(`transaction ${name} needs the ctx that a workflow's handler is given`);
  return ctx.transact<T>(name, sql, options);
}
