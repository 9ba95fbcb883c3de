import type { Database, Statement } from "better-sqlite3";

/** What a parameter of ours can be. */
export type Value = string | number | null;

/** Prepares a statement that answers plain numbers, also on an application's connection that made bigints its default. */
export function prepare<Parameters extends Value[], Row = unknown>(
  db: Database,
  sql: string,
): Statement<Parameters, Row> {
  return db.prepare<Parameters, Row>(sql).safeIntegers(false);
}

/** A write whose data SQLite can't hold. It is refused, and sinks no other write of its batch. */
export class UnstorableError extends Error {}

/** SQLite would replace a lone surrogate without a word, and two different texts would become one (F35). */
export function storable(text: string, what: string): string {
  if (!text.isWellFormed()) throw new UnstorableError(`${what} holds a lone surrogate, which is not text`);
  return text;
}
