import { existsSync } from "node:fs";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { StoreError } from "@everstep/core";
import { storeFailure } from "./failure.ts";
import { MIGRATIONS } from "./schema.ts";
import { prepare } from "./statement.ts";

/** Brings the tables of everstep to this build's version. Many processes may open a file at once: one of them migrates. */
export function migrate(db: Database): void {
  if (schemaVersion(db) === MIGRATIONS.length) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    // Again, with the lock: somebody else may have been first.
    const version = schemaVersion(db);
    refuseNewer(db);
    db.exec(migrationSql(version));
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** A newer everstep may keep promises in its tables that this one does not know of. */
export function refuseNewer(db: Database): void {
  const version = schemaVersion(db);
  if (version <= MIGRATIONS.length) return;
  throw new StoreError(
    `${db.name} was made by a newer everstep: its schema is version ${version}, this build knows ${MIGRATIONS.length}; ` +
      `update @everstep/adapters in this program, nothing was changed`,
  );
}

/** For whoever must not change the file. */
export function refuseOlder(db: Database): void {
  const version = schemaVersion(db);
  if (version === MIGRATIONS.length) return;
  const state = version === 0 ? "there are no tables of everstep" : `its tables are of version ${version}`;
  throw new StoreError(
    `${db.name}: ${state}, this build needs version ${MIGRATIONS.length}, and it was told not to migrate; check the path, or let a worker or everstep migrate --apply make them`,
  );
}

/** 0 for a file without tables of everstep. */
function schemaVersion(db: Database): number {
  const isOurs = prepare<[]>(
    db,
    `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'everstep_meta'`,
  ).get();
  if (isOurs === undefined) return 0;
  const version = prepare<[], string>(db, `SELECT value FROM everstep_meta WHERE key = 'schema'`)
    .pluck()
    .get();
  return Number(version ?? 0);
}

/** DDL from one version on: statements for one transaction. */
function migrationSql(from: number): string {
  if (from === MIGRATIONS.length) return "";
  return [
    ...MIGRATIONS.slice(from),
    "CREATE TABLE IF NOT EXISTS everstep_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    `INSERT INTO everstep_meta (key, value) VALUES ('schema', '${MIGRATIONS.length}') ON CONFLICT (key) DO UPDATE SET value = excluded.value;`,
    "",
  ].join("\n");
}

export interface MigrationPlan {
  /** The version of the schema that is there; 0 without tables of everstep. */
  readonly from: number;
  /** That of this build. */
  readonly to: number;
  /** The statements that lead there, to be run in one transaction; empty when there is nothing to do. */
  readonly sql: string;
}

/** What opening the file with `sqlite()` would do to its tables. Changes nothing, and creates no file. Throws `StoreError` as `sqlite()` does. */
export function migrationPlan(file: string): MigrationPlan {
  const from = existsSync(file) ? versionIn(file) : 0;
  return { from, to: MIGRATIONS.length, sql: migrationSql(from) };
}

function versionIn(file: string): number {
  let db: Database | undefined;
  try {
    db = new SqliteDatabase(file, { readonly: true, fileMustExist: true });
    refuseNewer(db);
    return schemaVersion(db);
  } catch (error) {
    throw storeFailure(error, file);
  } finally {
    db?.close();
  }
}
