import SqliteDatabase, { type Database } from "better-sqlite3";
import { type Context, InvalidArgumentError, type StepOptions, transactStep } from "@everstep/core";
import { isAsync } from "./transacting.ts";

export type TransactionOptions<T> = Pick<StepOptions<T>, "key" | "retry">;

/**
 * A step that is SQL in the store's own database: what `fn` writes and the step's result commit together, or not at all, so it
 * happens exactly once. `fn` gets the store's connection inside an open transaction, and must be synchronous. What it returns
 * becomes the step's result; when it throws, all of it is rolled back, and the step is tried again like any other.
 *
 * ```ts
 * await transaction(ctx, "confirm-order", (db) => {
 *   db.prepare("UPDATE orders SET status = 'confirmed' WHERE id = ?").run(order.id);
 * });
 * ```
 */
export function transaction<T>(
  ctx: Context,
  name: string,
  fn: (db: Database) => T extends Promise<unknown> ? never : T,
  options?: TransactionOptions<T>,
): Promise<T> {
  if (isAsync(fn)) {
    throw new InvalidArgumentError(
      `transaction ${name}: its function must not be async: what comes after an await would run outside of the transaction`,
    );
  }
  return transactStep<T>(ctx, name, (tx) => fn(databaseOf(tx, name)), options);
}

function databaseOf(tx: unknown, name: string): Database {
  if (tx instanceof SqliteDatabase) return tx;
  throw new InvalidArgumentError(
    `transaction ${name} is one of SQLite, but the worker runs on another store: use that store's own`,
  );
}
