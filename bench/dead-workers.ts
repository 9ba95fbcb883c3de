import SqliteDatabase from "better-sqlite3";

/** Takes over at once what the workers of dead processes own, by hand: for measurements that are not about noticing their death. */
export function freeRunsOfDeadWorkers(file: string): void {
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
