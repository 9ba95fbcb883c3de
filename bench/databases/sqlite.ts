import { join } from "node:path";
import { sqlite } from "@everstep/adapters/sqlite";
import SqliteDatabase from "better-sqlite3";
import sqlitePackage from "better-sqlite3/package.json" with { type: "json" };
import type { Database } from "../database.ts";
import { untilLogIsSteady } from "./sqlite-log.ts";
import { rawSqlite } from "./sqlite-raw.ts";
import { seedFinished } from "./sqlite-seed.ts";

let files = 0;

export const sqliteFiles: Database = {
  begin: async () => ({
    about: `better-sqlite3 ${sqlitePackage.version} (SQLite ${sqliteVersion()}), WAL, synchronous=FULL`,
    newAddress: async (folder) => {
      files += 1;
      return join(folder, `store-${files}.db`);
    },
    discard: async () => {}, // with its folder
    stop: async () => {},
  }),
  open: (file) => sqlite(file),
  raw: async (file) => rawSqlite(file),
  untilSteady: untilLogIsSteady,
  seedFinished: async (file, copying) => seedFinished(file, copying),
  freeRunsOfDeadWorkers: async (file) => freeRunsOfDeadWorkers(file),
};

function freeRunsOfDeadWorkers(file: string): void {
  const db = new SqliteDatabase(file);
  try {
    db.transaction(() => {
      db.prepare("UPDATE everstep_workers SET live = 0").run();
      db.prepare(
        "UPDATE everstep_runs SET owner = NULL, due_at = ?, interrupted = 1, alone = 0 WHERE owner IS NOT NULL",
      ).run(Date.now());
    }).immediate();
  } finally {
    db.close();
  }
}

function sqliteVersion(): string {
  const db = new SqliteDatabase(":memory:");
  const version = db.prepare<[], string>("SELECT sqlite_version()").pluck().get() ?? "";
  db.close();
  return version;
}
