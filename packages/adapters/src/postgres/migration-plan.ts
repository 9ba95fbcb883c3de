import type { Pool } from "pg";
import { Database } from "./database.ts";
import { DEFAULT_SCHEMA, schemaSql, migrationSql, VERSION } from "./migrations.ts";
import { checkConnection, checkSchema } from "./postgres.ts";

export interface MigrationPlan {
  /** The version of the schema that is there, as far as this build knows it; 0 without tables of everstep. */
  readonly from: number;
  /** That of this build. */
  readonly to: number;
  /** The statements that lead there, with their transaction, to be run by the owner; empty when there is nothing to do. */
  readonly sql: string;
}

/** What the first use of `postgres()` would do to the schema. Changes nothing. Throws `StoreError` for a schema that only a newer build can use. */
export async function migrationPlan(
  connection: string | Pool,
  { schema = DEFAULT_SCHEMA }: { readonly schema?: string } = {},
): Promise<MigrationPlan> {
  checkConnection(connection);
  checkSchema(schema);
  const database = new Database({ source: connection, schema, hasSessions: false, migrate: false });
  try {
    const from = await database.version();
    return { from, to: VERSION, sql: planSql(schema, from) };
  } finally {
    await database.close();
  }
}

function planSql(schema: string, from: number): string {
  if (from === VERSION) return "";
  return from === 0 ? schemaSql({ schema }) : `BEGIN;\n${migrationSql(schema, from)}\nCOMMIT;\n`;
}
