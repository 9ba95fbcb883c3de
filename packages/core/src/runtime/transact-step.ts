import type { Context, StepOptions } from "../context.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { RunContext } from "./run-context.ts";

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
  // By what it can do, not by its class: the ctx may come from another copy of this module than the adapter's.
  const own = ctx as Context & Partial<Pick<RunContext, "transact">>;
  if (typeof own?.transact !== "function")
    throw new InvalidArgumentError(`transaction ${name} needs the ctx that a workflow's handler is given`);
  return own.transact<T>(name, sql, options);
}
