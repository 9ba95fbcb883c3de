/** A worker, which also does what others ask of it, as a web server would. Killed and frozen again and again. */
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { Client, type Logger, Worker } from "@everstep/core";
import { cipher } from "./canary.ts";
import { FALLEN, nameOf, type Trap } from "./crash-points.ts";
import { groundAt, type Place } from "./ground.ts";
import { LedgerLink } from "./ledger-link.ts";
import { MortalStore } from "./mortal-store.ts";
import { payments } from "./payments.ts";
import { type Answer, answerTo, type Request } from "./requests.ts";
import { workflowsOf } from "./workflows.ts";

/** What this process is started with. */
export interface WorkerSettings {
  readonly place: Place;
  /** Of the ledger. */
  readonly port: number;
  /** Of the stand-in for Stripe. */
  readonly stripePort: number;
  /** The worker's lease; its default when undefined. */
  readonly leaseMs: number | undefined;
  /** It dies at the first of them that it comes to. */
  readonly traps: readonly Trap[];
}

/** What the test tells this process. */
export interface WorkerOrder {
  readonly request?: { readonly no: number; readonly request: Request };
  readonly stop?: true;
  /** From now on it dies at the first of these that it comes to. */
  readonly traps?: readonly Trap[];
}

/** What this process tells the test. */
export interface WorkerNews {
  readonly ready?: true;
  readonly answered?: { readonly no: number; readonly answer: Answer };
}

/** A process that does not end in that time says what keeps it. */
const COMPLAINT_MS = 20_000;

/** Why the runs of some workflows are stuck now and then. */
const EXPECTED: ReadonlySet<unknown> = new Set(["EXHAUSTED", "IN_DOUBT"]);

/** Warnings are expected of workers that are killed; errors are not. All of it is looked through for secrets. */
const say =
  (level: string) =>
  (message: string, fields?: Readonly<Record<string, unknown>>): void =>
    console.log(level, message, fields ?? "");
const logger: Logger = {
  debug: say("debug"),
  info: say("info"),
  warn: say("warn"),
  error: (message, fields) => {
    if (EXPECTED.has(fields?.["code"])) say("error")(message, fields);
    else console.error(message, fields);
  },
};

const { place, port, stripePort, leaseMs, traps } = JSON.parse(process.argv[2] ?? "") as WorkerSettings;
const link = await LedgerLink.open(port);
const ground = await groundAt(place);
const store = new MortalStore(ground.store, {
  own: (runs) => link.own(runs),
  fall: (trap) => {
    // At once, for this process will never do anything again.
    writeSync(process.stdout.fd, `${FALLEN} ${nameOf(trap)}\n`);
    process.kill(process.pid, "SIGKILL");
  },
  failed: (error) => console.log("failed", String(error)),
});
store.set(traps);
const workflows = workflowsOf({ effects: link, ground, till: payments(stripePort) });
const worker = new Worker({
  store,
  workflows: Object.values(workflows),
  concurrency: 40,
  codec: cipher,
  logger,
  ...(leaseMs === undefined ? {} : { lease: leaseMs }),
});
const client = new Client({ store, codec: cipher });

let leaving: string | undefined;

async function obey({ request: asked, stop, traps: next }: WorkerOrder): Promise<void> {
  if (next !== undefined) store.set(next);
  if (asked !== undefined) {
    const { no, request } = asked;
    const answer = await answerTo(request, { client, ground, workflows });
    // What a process that ends still answers is of no interest: its store is closed under its requests.
    tell({ answered: { no, answer: answer === "ok" || leaving === undefined ? answer : "unknown" } });
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
