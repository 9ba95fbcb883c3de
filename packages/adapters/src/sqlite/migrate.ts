import type { Database } from "better-sqlite3";
import { StoreError } from "@everstep/core";
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
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
    if (version < MIGRATIONS.length) recordVersion(db, MIGRATIONS.length);
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

function recordVersion(db: Database, version: number): void {
  db.exec(
    `CREATE TABLE IF NOT EXISTS everstep_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  );
  prepare<[string]>(
    db,
    `INSERT INTO everstep_meta (key, value) VALUES ('schema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  ).run(String(version));
}
