import { dirname, join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import type { RawDriver } from "../database.ts";
import { rowOutput } from "../raw-rate.ts";
import { untilLogIsSteady } from "./sqlite-log.ts";

let files = 0;

/** A file of its own beside the store's, with the store's durability: WAL and synchronous=FULL. */
export function rawSqlite(store: string): RawDriver {
  files += 1;
  const file = join(dirname(store), `raw-${process.pid}-${files}.db`);
  const db = new SqliteDatabase(file);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec(
    "CREATE TABLE steps (run TEXT, seq INTEGER, name TEXT, output TEXT, PRIMARY KEY (run, seq)) WITHOUT ROWID",
  );
  const insert = db.prepare<[string, number, string, string]>("INSERT INTO steps VALUES (?, ?, ?, ?)");
  const output = rowOutput();
  const many = db.transaction((run: string, rows: number) => {
    for (let seq = 0; seq < rows; seq++) insert.run(run, seq, "charge", output);
  });
  let commits = 0;
  return {
    commit: async (rows) => {
      const run = `run-${commits++}`;
      if (rows === 1) insert.run(run, 0, "charge", output);
      else many(run, rows);
    },
    untilSteady: (act) => untilLogIsSteady(file, act),
    close: async () => void db.close(),
  };
}
