/**
 * The conformance suite: what every store must do for everstep to keep its promises. The names of the cases carry the
 * numbers of the invariants (S1 … S14, see `Store`) and of the failures that they defend against.
 */
import { Bench, type Cases, type OpenStore, Skip } from "./bench.ts";
import { batchNumbers } from "./batch-numbers.ts";
import { badRows } from "./bad-rows.ts";
import { children } from "./children.ts";
import { claims } from "./claims.ts";
import { differential } from "./differential.ts";
import { events } from "./events.ts";
import { fence } from "./fence.ts";
import { hints } from "./hints.ts";
import { imports } from "./importing.ts";
import { journal } from "./journal.ts";
import { leases } from "./leases.ts";
import { leaving } from "./leaving.ts";
import { mending } from "./mending.ts";
import { messages } from "./messages.ts";
import { operating } from "./operating.ts";
import { outbox } from "./outbox.ts";
import { parking } from "./parking.ts";
import { pausing } from "./pausing.ts";
import { pausingWorkflows } from "./pausing-workflows.ts";
import { purging } from "./purging.ts";
import { reading } from "./reading.ts";
import { sends } from "./sends.ts";
import { starting } from "./starting.ts";
import { strikes } from "./strikes.ts";
import { transact } from "./transact.ts";
import { transactions } from "./transactions.ts";
import { values } from "./values.ts";
import { workflows } from "./workflows.ts";

export interface StoreConformanceOptions {
  /** Stands before every failure. */
  readonly name: string;
  /** Opens an empty store, anew for each case. */
  readonly open: () => OpenStore | Promise<OpenStore>;
  /** `false` for a store that gives no hints. */
  readonly hints?: boolean;
  /** Of the random operations; failures print it. Default: `"0"`. */
  readonly seed?: string;
  /** How long a case waits for what must happen before it fails, e.g. for a takeover. Default: ten seconds. */
  readonly patienceMs?: number;
}

/** One case, for any test runner: `test(name, run)`. */
export interface ConformanceCase {
  readonly topic: string;
  readonly name: string;
  /** Rejects when the store fails. Answers a reason when the case could not be tried; say it aloud. */
  run(): Promise<{ readonly skipped: string } | undefined>;
}

const TOPICS: Readonly<Record<string, Cases>> = {
  start: starting,
  tx: transactions,
  transact,
  messages,
  journal,
  fence,
  "batch numbers": batchNumbers,
  park: parking,
  claim: claims,
  lease: leases,
  strikes,
  operate: operating,
  leave: leaving,
  sends,
  children,
  workflows,
  events,
  pause: pausing,
  "pause workflows": pausingWorkflows,
  mend: mending,
  purge: purging,
  import: imports,
  outbox,
  "list, count, read": reading,
  hints,
  "bad rows": badRows,
  values,
  differential,
};

/** The cases that a store must pass. Loop over them in your own test runner. */
export function storeConformance(options: StoreConformanceOptions): readonly ConformanceCase[] {
  return Object.entries(TOPICS).flatMap(([topic, cases]) =>
    Object.entries(cases).map(([name, run]) => ({ topic, name, run: () => tryCase(options, name, run) })),
  );
}

async function tryCase(
  { name: store, open, hints = true, seed = "0", patienceMs = 10_000 }: StoreConformanceOptions,
  name: string,
  run: (bench: Bench) => Promise<void>,
): Promise<{ readonly skipped: string } | undefined> {
  const bench = new Bench(await open(), { hints, seed, patienceMs });
  try {
    await run(bench);
    return undefined;
  } catch (error) {
    if (error instanceof Skip) return { skipped: `${store}: ${error.message}` };
    throw new Error(`${store}: ${name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    await bench.close();
  }
}
