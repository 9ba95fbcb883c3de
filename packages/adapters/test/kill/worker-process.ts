/** A worker, which also starts runs for whom asks it to, as a web server would. Killed again and again. */
import { flushCompileCache } from "node:module";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { Client, type Logger, Worker } from "@everstep/core";
import { sqlite } from "../../src/sqlite/index.ts";
import { LedgerLink } from "./ledger-link.ts";
import { type Input, type Name, workflowsOf } from "./workflows.ts";

export interface StartOrder {
  readonly no: number;
  readonly id: string;
  readonly workflow: Name;
  readonly input: Input;
  /** Together with a row in the application's own table. */
  readonly inTx: boolean;
}

/** What the test tells this process. */
export interface WorkerOrder {
  readonly start?: StartOrder;
  readonly stop?: true;
}

/** What this process tells the test. */
export interface WorkerNews {
  readonly ready?: true;
  readonly started?: { readonly no: number; readonly error?: string };
}

/** Warnings are expected of workers that are killed; errors are not. */
const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (message, fields) => console.error(message, fields),
};

const [, , file = "", port = ""] = process.argv;
const link = await LedgerLink.open(Number(port));
const store = sqlite(file);
const workflows = workflowsOf(link);
const worker = new Worker({ store, workflows: Object.values(workflows), concurrency: 40, logger });
const client = new Client({ store });

async function start({ id, workflow, input, inTx }: StartOrder): Promise<void> {
  const definition = workflows[workflow];
  if (inTx) await inTransaction(id, (tx) => client.start(definition, input, { id, tx }));
  else await client.start(definition, input, { id });
}

/** The run and the application's row commit together, on a connection of the application. */
async function inTransaction(id: string, startIn: (tx: Database) => Promise<unknown>): Promise<void> {
  const db = new SqliteDatabase(file);
  let started: Promise<unknown> | undefined;
  const both = db.transaction(() => {
    db.prepare("INSERT OR IGNORE INTO requests (run) VALUES (?)").run(id);
    started = startIn(db);
  });
  try {
    db.pragma("synchronous = FULL");
    both.immediate();
    await started;
  } finally {
    db.close();
  }
}

async function obey({ start: order, stop }: WorkerOrder): Promise<void> {
  if (order !== undefined) {
    const { no } = order;
    try {
      await start(order);
      tell({ started: { no } });
    } catch (error) {
      tell({ started: { no, error: String(error) } });
    }
  }
  if (stop === true) {
    await worker.stop();
    await store.close();
    link.close();
    // From here on nothing keeps the process alive: it ends by itself, or the test waits in vain.
    process.off("disconnect", orphaned);
    process.disconnect();
  }
}

function tell(news: WorkerNews): void {
  process.send?.(news);
}

process.on("message", (order: WorkerOrder) => {
  obey(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
const orphaned = (): never => process.exit(2);
process.on("disconnect", orphaned);

await worker.start();
tell({ ready: true });
// A process that is killed would never save what it has compiled, and each next one would compile it anew.
flushCompileCache();
