/** A worker, which also starts runs for whom asks it to, as a web server would. Killed and frozen again and again. */
import { flushCompileCache } from "node:module";
import { Client, type Logger, Worker } from "@everstep/core";
import { groundAt, type Place } from "./ground.ts";
import { LedgerLink } from "./ledger-link.ts";
import { type Input, type Name, workflowsOf } from "./workflows.ts";

/** What this process is started with. */
export interface WorkerSettings {
  readonly place: Place;
  /** Of the ledger. */
  readonly port: number;
  /** The worker's lease; its default when undefined. */
  readonly leaseMs: number | undefined;
}

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
  readonly started?: { readonly no: number; readonly error?: string; readonly isUnknown?: true };
}

/** A process that does not end in that time says what keeps it. */
const COMPLAINT_MS = 20_000;

/** Warnings are expected of workers that are killed; errors are not. */
const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (message, fields) => console.error(message, fields),
};

const { place, port, leaseMs } = JSON.parse(process.argv[2] ?? "") as WorkerSettings;
const link = await LedgerLink.open(port);
const ground = await groundAt(place);
const { store } = ground;
const workflows = workflowsOf(link, ground);
const worker = new Worker({
  store,
  workflows: Object.values(workflows),
  concurrency: 40,
  logger,
  ...(leaseMs === undefined ? {} : { lease: leaseMs }),
});
const client = new Client({ store });

async function start({ id, workflow, input, inTx }: StartOrder): Promise<void> {
  const definition = workflows[workflow];
  if (inTx) await ground.request(id, (tx) => client.start(definition, input, { id, tx }));
  else await client.start(definition, input, { id });
}

let leaving: string | undefined;

async function obey({ start: order, stop }: WorkerOrder): Promise<void> {
  if (order !== undefined) {
    const { no } = order;
    try {
      await start(order);
      tell({ started: { no } });
    } catch (error) {
      // What a process that ends still answers is of no interest: its store is closed under its requests.
      const isUnknown = leaving !== undefined || ground.isOutage(error);
      const unknown = isUnknown ? { isUnknown: true as const } : {};
      tell({ started: { no, error: String(error), ...unknown } });
    }
  }
  if (stop === true) await leave();
}

/** From then on nothing keeps the process alive: it ends by itself, or the test waits in vain. */
async function leave(): Promise<void> {
  setTimeout(sayWhatIsOpen, COMPLAINT_MS).unref();
  leaving = "worker.stop()";
  await worker.stop();
  leaving = "closing the store";
  await ground.close();
  leaving = "the end";
  link.close();
  process.off("disconnect", orphaned);
  process.off("SIGTERM", drain);
  process.disconnect();
}

function sayWhatIsOpen(): void {
  console.error(
    `told to stop ${COMPLAINT_MS} ms ago, still in: ${leaving}; open: ${process.getActiveResourcesInfo().join()}`,
  );
}

function tell(news: WorkerNews): void {
  if (process.connected) process.send?.(news);
}

function failed(error: unknown): never {
  console.error(error);
  process.exit(1);
}

process.on("message", (order: WorkerOrder) => {
  obey(order).catch(failed);
});
const orphaned = (): never => process.exit(2);
process.on("disconnect", orphaned);
const drain = (): void => {
  leave().catch(failed);
};
process.once("SIGTERM", drain);

await worker.start();
tell({ ready: true });
// A process that is killed would never save what it has compiled, and each next one would compile it anew.
flushCompileCache();
