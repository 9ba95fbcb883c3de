import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import SqliteDatabase from "better-sqlite3";
import { Client, type Store } from "@everstep/core";
import { sqlite } from "../../src/sqlite/index.ts";
import { Callers } from "./callers.ts";
import { type Evidence, readAllRuns, readApplication } from "./evidence.ts";
import { problemsIn } from "./invariants.ts";
import { Ledger } from "./ledger.ts";
import type { Effects } from "./ledger-link.ts";
import { Nemesis } from "./nemesis.ts";
import { Random } from "./random.ts";
import { type Summary, summaryOf } from "./summary.ts";
import { Watcher } from "./watcher.ts";
import { WorkerSlot } from "./worker-slot.ts";
import { APPLICATION_SCHEMA, workflowsOf } from "./workflows.ts";

export interface CampaignOptions {
  readonly kills: number;
  readonly seed: number;
}

export interface Verdict {
  readonly problems: readonly string[];
  readonly summary: Summary;
  readonly seconds: number;
}

const OPEN_RUNS_MAX = 40;
/** When nobody is killed any more, all runs have ended after so long. */
const HEALING_MS = 20_000;
const STOP_MS = 10_000;

/** Everything in one folder, which is gone when this settles; and so are all processes. */
export async function campaign(options: CampaignOptions): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "everstep-kill-"));
  try {
    return await new Campaign(folder, options).run();
  } finally {
    if (process.env["EVERSTEP_KEEP"] === "1") console.log(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #file: string;
  readonly #cache: string;
  readonly #folder: string;

  constructor(folder: string, options: CampaignOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#file = join(folder, "shop.db");
    this.#cache = join(folder, "compiled");
  }

  async run(): Promise<Verdict> {
    const startedAt = performance.now();
    createApplication(this.#file);
    const ledger = await Ledger.start(join(this.#folder, "ledger.db"), this.#cache);
    const store = sqlite(this.#file);
    const settings = { file: this.#file, port: ledger.port, cache: this.#cache };
    const slots = [new WorkerSlot(settings), new WorkerSlot(settings)] as const;
    const field = new Field({ ...this.#options, store, slots, ledger });
    try {
      const found = await Promise.race([field.fight(), ledger.died]);
      const evidence: Evidence = {
        starts: field.callers.starts,
        runs: await readAllRuns(store),
        events: await ledger.finish(),
        ...readApplication(this.#file),
      };
      return {
        problems: [...found, ...problemsIn(evidence)],
        summary: summaryOf(evidence, slots),
        seconds: (performance.now() - startedAt) / 1000,
      };
    } finally {
      await Promise.all([...slots.map((slot) => slot.abandon()), ledger.kill()]);
      await store.close();
    }
  }
}

interface FieldOptions extends CampaignOptions {
  readonly store: Store;
  readonly slots: readonly [WorkerSlot, WorkerSlot];
  readonly ledger: Ledger;
}

/** Those who fight, and the one who watches. */
class Field {
  readonly callers: Callers;
  readonly #slots: readonly [WorkerSlot, WorkerSlot];
  readonly #watcher: Watcher;
  readonly #nemesis: Nemesis;
  readonly #client: Client;

  constructor({ store, slots, ledger, kills, seed }: FieldOptions) {
    this.#slots = slots;
    const watcher = new Watcher(store, (marks) => ledger.mark(marks));
    this.#watcher = watcher;
    this.#client = new Client({ store });
    this.#nemesis = new Nemesis({ slots, ledger, kills, random: new Random(seed) });
    this.callers = new Callers({
      client: this.#client,
      slots,
      workflows: workflowsOf(NO_EFFECTS),
      random: new Random(seed + 1),
      openMax: OPEN_RUNS_MAX,
      countOpen: () => watcher.open.size,
      onStarting: (id) => watcher.follow(id),
      onGivenUp: (id) => watcher.forgetIfAbsent(id),
    });
  }

  /** Answers with the problems that are seen on the way. */
  async fight(): Promise<string[]> {
    const over = new AbortController();
    const watching = this.#watcher.watch(over.signal);
    const calling = this.callers.call();
    const raging = this.#nemesis.rage().finally(() => this.callers.close());
    try {
      await Promise.all([raging, calling]);
      await this.#heal();
      await Promise.all(this.#slots.map((slot) => slot.stop(STOP_MS)));
    } finally {
      over.abort();
      await watching;
    }
    return [
      ...this.callers.problems,
      ...this.#watcher.problems,
      ...this.#slots.flatMap(({ problems }) => problems),
      ...(await this.#unended()),
    ];
  }

  async #heal(): Promise<void> {
    const deadline = performance.now() + HEALING_MS;
    while (this.#watcher.open.size > 0 && performance.now() < deadline) await delay(20);
  }

  #unended(): Promise<string[]> {
    const { runs } = this.#client;
    const whyNot = async (id: string): Promise<string> => runs.why(id).catch(String);
    return Promise.all(
      [...this.#watcher.open].map(async (id) => `L1 ${id} has not ended: ${await whyNot(id)}`),
    );
  }
}

function createApplication(file: string): void {
  const db = new SqliteDatabase(file);
  db.pragma("journal_mode = WAL");
  db.exec(APPLICATION_SCHEMA);
  db.close();
}

const noEffect = (): never => {
  throw new Error("this process executes nothing");
};

/** The test's own process only starts runs. */
const NO_EFFECTS: Effects = { perform: noEffect, fail: noEffect };
