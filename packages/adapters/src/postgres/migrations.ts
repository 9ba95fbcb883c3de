import { claimFunctions } from "./sql-claim.ts";
import { commitFunctions } from "./sql-commit.ts";
import { damageFunctions } from "./sql-damage.ts";
import { leaseFunctions } from "./sql-lease.ts";
import { readFunctions } from "./sql-read.ts";
import { createFunction, qualified, quoteIdentifier, quoteLiteral } from "./sql.ts";
import { transactFunctions } from "./sql-transact.ts";
import { TABLES } from "./schema.ts";

/**
 * Each brings the schema from the version before to its own: `MIGRATIONS[0]` to version 1. A migration only adds, so that builds of
 * the version before go on beside it; what it would take away, a later one takes, and says with `oldest` which builds that ends.
 */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => [qualified(TABLES, schema), ...functions(schema)].join("\n"),
];

/** The version of the schema that this build makes and needs. */
export const VERSION: number = MIGRATIONS.length;
/** The oldest build that may take on runs in a schema of this version. */
const OLDEST = 1;

function functions(schema: string): readonly string[] {
  const all = [
    leaseFunctions,
    readFunctions,
    claimFunctions,
    commitFunctions,
    transactFunctions,
    damageFunctions,
  ];
  return all.flat().map((fn) => createFunction(schema, fn));
}

/** DDL from one version on: statements for one transaction. */
export function migrationSql(name: string, from: number): string {
  const schema = quoteIdentifier(name);
  const versions = [`('schema', '${VERSION}')`, `('oldest', '${OLDEST}')`].join(", ");
  return [
    // Of the transaction: what constraints compare with is Postgres' own (F60).
    "SET LOCAL search_path = pg_catalog, pg_temp;",
    ...MIGRATIONS.slice(from).map((migration) => migration(schema)),
    `INSERT INTO ${schema}.meta (key, value) VALUES ${versions} ON CONFLICT (key) DO UPDATE SET value = excluded.value;`,
  ].join("\n");
}

/**
 * What an owner runs once, for programs whose own role may not change the schema: the schema with all tables and functions of
 * everstep, in one transaction. In an empty database, or beside the application's own tables.
 */
export function schemaSql({ schema = DEFAULT_SCHEMA }: { readonly schema?: string } = {}): string {
  return `BEGIN;\nCREATE SCHEMA ${quoteIdentifier(schema)};\n${migrationSql(schema, 0)}\nCOMMIT;\n`;
}

/**
 * The rights of a role that executes workflows, and no more: it reads and writes rows, and can't change the schema. The owner of the
 * schema runs it after each migration.
 */
export function grantsSql(
  role: string,
  { schema = DEFAULT_SCHEMA }: { readonly schema?: string } = {},
): string {
  const [where, who] = [quoteIdentifier(schema), quoteIdentifier(role)];
  return [
    `GRANT USAGE ON SCHEMA ${where} TO ${who};`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${where} TO ${who};`,
    `REVOKE INSERT, UPDATE, DELETE ON ${where}.meta, ${where}.nothing FROM ${who};`,
    `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${where} TO ${who};`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${where} TO ${who};`,
    "",
  ].join("\n");
}

export const DEFAULT_SCHEMA = "everstep";

/** Answers the version of the schema in `version`, and in `oldest` the oldest build that it admits; no row without a schema. */
export function versionQuery(name: string): string {
  const schema = quoteIdentifier(name);
  return `SELECT (SELECT value::int FROM ${schema}.meta WHERE key = 'schema') AS version,
    (SELECT value::int FROM ${schema}.meta WHERE key = 'oldest') AS oldest`;
}

/** Whether the table of versions is there, for a role that may see it. */
export function existsQuery(name: string): string {
  return `SELECT to_regclass(${quoteLiteral(`${quoteIdentifier(name)}.meta`)}) IS NOT NULL AS made,
    EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = ${quoteLiteral(name)}) AS "hasSchema"`;
}
