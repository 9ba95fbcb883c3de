import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { median, quantile, untilLogIsSteady } from "./measure.ts";

export interface RawRate {
  readonly commitsPerS: number;
  readonly rowsPerS: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const RAW_MS = 1_500;
const WARM_COMMITS = 100;
let files = 0;

/** How fast the driver commits rows like those of a step, with the durability of the store: WAL and synchronous=FULL. */
export async function rawRate(folder: string, rowsPerCommit: number, ms: number = RAW_MS): Promise<RawRate> {
  files += 1;
  const file = join(folder, `raw-${process.pid}-${files}.db`);
  const db = new SqliteDatabase(file);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec(
    "CREATE TABLE steps (run TEXT, seq INTEGER, name TEXT, output TEXT, PRIMARY KEY (run, seq)) WITHOUT ROWID",
  );
  const insert = db.prepare<[string, number, string, string]>("INSERT INTO steps VALUES (?, ?, ?, ?)");
  const output = JSON.stringify({
    step: "charge",
    seq: 123_456,
    ok: true,
    at: Date.now(),
    pad: "x".repeat(40),
  });
  const many = db.transaction((run: string) => {
    for (let seq = 0; seq < rowsPerCommit; seq++) insert.run(run, seq, "charge", output);
  });
  const commit = rowsPerCommit === 1 ? (run: string) => insert.run(run, 0, "charge", output) : many;
  let warm = 0;
  await untilLogIsSteady(file, () => {
    for (let no = 0; no < WARM_COMMITS; no++) commit(`warm-${warm++}`);
  });
  const latencies: number[] = [];
  const startedAt = performance.now();
  while (performance.now() - startedAt < ms) {
    const at = performance.now();
    commit(`run-${latencies.length}`);
    latencies.push((performance.now() - at) * 1000);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  db.close();
  return {
    commitsPerS: latencies.length / seconds,
    rowsPerS: (latencies.length * rowsPerCommit) / seconds,
    p50Us: median(latencies),
    p99Us: quantile(latencies, 0.99),
  };
}

/** Measures the driver before and after `act`, so that the ratio to it is of the same moment. */
export async function besideRaw<T>(
  { folder, rowsPerCommit }: { readonly folder: string; readonly rowsPerCommit: number },
  act: () => Promise<T>,
): Promise<{ readonly result: T; readonly commitsPerS: number; readonly rowsPerS: number }> {
  const before = await rawRate(folder, rowsPerCommit);
  const result = await act();
  const after = await rawRate(folder, rowsPerCommit);
  return {
    result,
    commitsPerS: (before.commitsPerS + after.commitsPerS) / 2,
    rowsPerS: (before.rowsPerS + after.rowsPerS) / 2,
  };
}
