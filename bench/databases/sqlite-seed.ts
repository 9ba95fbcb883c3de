import SqliteDatabase, { type Database } from "better-sqlite3";
import type { Copying } from "../database.ts";

/** Not in order: an index on ids is to grow everywhere, as it does with ids of users. */
const SCATTER = 2_654_435_761;

/** Writes the tables of the adapter directly, so it is to be adapted with them. */
export function seedFinished(file: string, { template, copies, seed }: Copying): void {
  const db = new SqliteDatabase(file);
  try {
    db.pragma("synchronous = OFF");
    db.pragma("cache_size = -262144");
    db.transaction(() => copy(db, template, copies, seed)).immediate();
    db.pragma("wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

function copy(db: Database, template: string, copies: number, seed: number): void {
  const { no, entries } = db
    .prepare<[string], { no: number; entries: number }>("SELECT no, entries FROM everstep_runs WHERE id = ?")
    .get(template) ?? { no: 0, entries: 0 };
  if (no === 0) throw new Error(`there is no run ${template} to copy`);
  const run = `${lastNo(db, "everstep_runs")} + copy.no`;
  const id = `printf('%d-%010d-%d', ${seed}, (copy.no * ${SCATTER}) % 10000000000, copy.no)`;
  const entry = (seq: string): string =>
    `${lastNo(db, "everstep_journal")} + (copy.no - 1) * ${entries} + ${seq}`;
  const insert = (table: string, key: string, changed: Readonly<Record<string, string>>): void => {
    const columns = columnsOf(db, table);
    const values = columns.map((column) => changed[column] ?? `"${column}"`);
    db.prepare(
      `WITH RECURSIVE copy (no) AS (SELECT 1 UNION ALL SELECT no + 1 FROM copy WHERE no < ?)
       INSERT INTO ${table} (${columns.map((column) => `"${column}"`).join()})
       SELECT ${values.join().replaceAll('"no"', "source.no")} FROM copy, ${table} source WHERE source."${key}" = ?`,
    ).run(copies, no);
  };
  insert("everstep_runs", "no", {
    no: run,
    id,
    last_entry: entry(String(entries)),
    entry_before: entry(String(entries - 1)),
  });
  insert("everstep_journal", "run", {
    run,
    no: entry("source.seq"),
    before: `iif(source.seq = 1, NULL, ${entry("source.seq - 1")})`,
  });
  for (const table of ["everstep_inputs", "everstep_results"]) insert(table, "run", { run });
}

function lastNo(db: Database, table: string): number {
  return db.prepare<[], number>(`SELECT max(no) FROM ${table}`).pluck().get() ?? 0;
}

function columnsOf(db: Database, table: string): string[] {
  return db.prepare<[string], string>("SELECT name FROM pragma_table_info(?)").pluck().all(table);
}
