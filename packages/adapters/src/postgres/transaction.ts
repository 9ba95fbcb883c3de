import { type Context, InvalidArgumentError, type StepOptions, transactStep } from "@everstep/core";
import type { ClientBase } from "pg";

export type TransactionOptions<T> = Pick<StepOptions<T>, "key" | "retry">;

/**
 * A step that is SQL in the store's own database: what `fn` writes and the step's result commit together, or not at all, so it
 * happens exactly once. `fn` gets a `pg` client inside an open transaction (READ COMMITTED), which is everstep's to commit. What it
 * resolves to becomes the step's result; when it rejects, all of it is rolled back, and the step is tried again like any other.
 *
 * `fn` may run more than once before anything of it is kept: after a deadlock, a refused serialization or an outage it is called
 * again. Between two of its statements no more than ten seconds may pass; do what takes longer in a step of its own.
 *
 * ```ts
 * await transaction(ctx, "confirm-order", async (client) => {
 *   await client.query("UPDATE orders SET status = 'confirmed' WHERE id = $1", [order.id]);
 * });
 * ```
 */
export function transaction<T>(
  ctx: Context,
  name: string,
  fn: (client: ClientBase) => Promise<T>,
  options?: TransactionOptions<T>,
): Promise<Awaited<T>> {
  return transactStep(
    ctx,
    name,
    (tx) => fn(clientOf(tx, name)),
    options as TransactionOptions<Promise<T>>,
  ) as Promise<Awaited<T>>;
}

function clientOf(tx: unknown, name: string): ClientBase {
  if (typeof tx === "object" && tx !== null && "processID" in tx) return tx as unknown as ClientBase;
  throw new InvalidArgumentError(
    `transaction ${name} is one of Postgres, but the worker runs on another store: use that store's own`,
  );
}
