/** Kills a worker in the middle of a `transaction`: the order is inserted, the stock is not taken yet, nothing is committed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import SqliteDatabase from "better-sqlite3";
import { Client } from "pg";
import { onTestFinished } from "vitest";
import type { Bed } from "./shop-bed.ts";

/** Starts `order` on a run that is there, and kills it inside. */
export async function killInside(bed: Bed, startWorker: () => ChildProcess): Promise<void> {
  const trap = bed.where.startsWith("postgres") ? await lockedStock(bed) : await endlessUpdate(bed);
  const worker = startWorker();
  onTestFinished(() => void worker.kill("SIGKILL"));
  await trap.untilInside();
  worker.kill("SIGKILL");
  await once(worker, "exit");
  await trap.open();
}

export function startWorker(module: string, where: string): ChildProcess {
  const program = fileURLToPath(new URL("orm-worker.ts", import.meta.url));
  const args = ["--conditions=@everstep/source", program, module, where];
  return spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
}

interface Trap {
  readonly untilInside: () => Promise<void>;
  readonly open: () => Promise<void>;
}

/** The rows of the stock are locked by another session, for which the worker waits with its order inserted. */
async function lockedStock({ where, rows }: Bed): Promise<Trap> {
  const session = new Client({ connectionString: where });
  await session.connect();
  onTestFinished(() => session.end());
  await session.query("BEGIN; SELECT * FROM stock FOR UPDATE");
  const waiting =
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0";
  return {
    untilInside: () => eventually(async () => (await rows(waiting)).length > 0),
    open: async () => void (await session.query("COMMIT")),
  };
}

/** Taking from the stock takes for ever, with the file locked. */
async function endlessUpdate({ where, execute }: Bed): Promise<Trap> {
  await execute(`
    CREATE VIEW endless AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;
    CREATE TRIGGER trap BEFORE UPDATE ON stock BEGIN SELECT max(i) FROM endless; END`);
  // A commit of everstep's own locks the file as well, but is over by the next look.
  let looks = 0;
  const isInside = async (): Promise<boolean> => {
    looks = isLocked(where) ? looks + 1 : 0;
    return looks > 30;
  };
  return {
    untilInside: () => eventually(isInside),
    open: () => execute("DROP TRIGGER trap; DROP VIEW endless"),
  };
}

function isLocked(file: string): boolean {
  const db = new SqliteDatabase(file, { timeout: 0 });
  try {
    db.exec("BEGIN IMMEDIATE; ROLLBACK");
    return false;
  } catch {
    return true;
  } finally {
    db.close();
  }
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > until) throw new Error("no worker got inside of its transaction");
    await delay(10);
  }
}
