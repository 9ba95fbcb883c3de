import { setTimeout as delay } from "node:timers/promises";
import { Client, type RunStatus, type Store } from "@everstep/core";
import type { Arena } from "./arena.ts";
import { Callers } from "./callers.ts";
import { cipher, deciphered } from "./canary.ts";
import { readAllRuns, type Session } from "./evidence.ts";
import type { Ground } from "./ground.ts";
import type { Ledger } from "./ledger.ts";
import { Nemesis } from "./nemesis.ts";
import { NOWHERE } from "./nowhere.ts";
import { Operator } from "./operator.ts";
import { Random } from "../random.ts";
import { replayAll } from "./replays.ts";
import { storm } from "./storm.ts";
import type { Stripe } from "./stripe.ts";
import type { Tally } from "./tally.ts";
import { Watcher } from "./watcher.ts";
import type { WorkerSlot } from "./worker-slot.ts";
import { workflowsOf } from "./workflows.ts";

/** When nothing is broken any more, all runs have ended after so long. */
const HEALING_MS = 30_000;
const HEALING_POLL_MS = 20;
const REPLAYS_MAX = 500;
const STOP_MS = 10_000;
const LIVE: readonly RunStatus[] = ["ready", "running", "waiting", "compensating"];

export interface FieldOptions {
  readonly kills: number;
  /** Runs to be accepted, at least. */
  readonly runs: number;
  readonly seed: number;
  readonly arena: Arena;
  readonly ground: Ground;
  readonly slots: readonly [WorkerSlot, ...WorkerSlot[]];
  readonly ledger: Ledger;
  readonly stripe: Stripe;
  readonly tally: Tally;
}

/** Those who fight, and the one who watches. */
export class Field {
  readonly callers: Callers;
  readonly sessions: Session[] = [];
  readonly #options: FieldOptions;
  readonly #store: Store;
  readonly #watcher: Watcher;
  readonly #nemesis: Nemesis;
  readonly #client: Client;
  readonly #operator: Operator;

  constructor(options: FieldOptions) {
    const { arena, ground, ledger, runs, seed, tally } = options;
    this.#options = options;
    this.#store = ground.store;
    const watcher = new Watcher(ground.store, (marks) => ledger.mark(marks));
    this.#watcher = watcher;
    this.#client = new Client({ store: ground.store, codec: cipher });
    this.callers = new Callers({
      ...options,
      client: this.#client,
      workflows: workflowsOf({ ...NOWHERE, ground }),
      random: new Random(seed + 1),
      callers: arena.callers,
      openMax: arena.openMax,
      countOpen: () => watcher.open.size,
      onStarting: (id) => watcher.follow(id),
      onGivenUp: (id) => watcher.forgetIfAbsent(id),
    });
    this.#operator = new Operator({
      client: this.#client,
      callers: this.callers,
      open: watcher.open,
      random: new Random(seed + 3),
      tally,
    });
    const { acts, leaseMs = 0 } = arena;
    const progress = (): number => (runs === 0 ? 1 : this.callers.accepted / runs);
    this.#nemesis = new Nemesis({ ...options, acts, leaseMs, progress });
  }

  /** Answers with the problems that are seen on the way. */
  async fight(): Promise<string[]> {
    const { slots } = this.#options;
    const over = new AbortController();
    const watching = this.#watcher.watch(over.signal);
    const fighting = this.#fight().finally(() => over.abort());
    await Promise.all([watching, fighting]);
    return [
      ...this.callers.problems,
      ...this.#watcher.problems,
      ...slots.flatMap(({ problems }) => problems),
      ...(await this.#unended()),
      ...(await this.#replayed()),
    ];
  }

  async #fight(): Promise<void> {
    const { slots, arena } = this.#options;
    const [mended, enough] = [new AbortController(), new AbortController()];
    const over = (): void => {
      enough.abort();
      this.callers.close();
    };
    const healing = Promise.all([this.#rage().finally(over), this.callers.call()])
      .then(() => this.#heal())
      .finally(() => mended.abort());
    await Promise.all([healing, this.#operator.work(mended.signal, enough.signal)]);
    this.sessions.push(...(await arena.readSessions("idle")));
    await Promise.all(slots.map((slot) => slot.stop(STOP_MS)));
    this.sessions.push(...(await arena.readSessions("stopped")));
  }

  async #rage(): Promise<void> {
    const { arena, tally, seed } = this.#options;
    const enough = new AbortController();
    const raging = this.#nemesis.rage().finally(() => enough.abort());
    await Promise.all([
      raging,
      storm(arena.disasters, { random: new Random(seed + 2), tally, until: enough.signal }),
    ]);
  }

  async #heal(): Promise<void> {
    const { slots } = this.#options;
    const deadline = performance.now() + HEALING_MS;
    this.#watcher.healed();
    const until = async (isOver: () => boolean | Promise<boolean>): Promise<void> => {
      while (!(await isOver()) && performance.now() < deadline) await delay(HEALING_POLL_MS);
    };
    await until(() => slots.every(({ unanswered }) => unanswered === 0));
    await this.callers.followUnanswered();
    for (const { id, tries } of this.callers.starts) {
      if (tries.includes("ok")) continue;
      await this.#watcher.forgetIfAbsent(id);
    }
    await until(() => this.#watcher.open.size === 0);
    await until(
      async () => (await this.#store.count({ status: LIVE })) === 0 && (await this.#regretted()) === 0,
    );
    await until(async () => (await this.#store.count({ status: LIVE })) === 0);
  }

  /** Runs that a person will have go back. */
  #regretted(): Promise<number> {
    return this.#store.count({ status: "failed", workflow: "regret" });
  }

  /** I12. */
  async #replayed(): Promise<readonly string[]> {
    const { ground, tally, seed } = this.#options;
    const runs = (await readAllRuns(this.#store)).map(deciphered);
    const { problems, count } = await replayAll(runs, {
      workflows: workflowsOf({ ...NOWHERE, ground }),
      random: new Random(seed + 4),
      max: REPLAYS_MAX,
    });
    tally.count("replays", count);
    return problems;
  }

  async #unended(): Promise<string[]> {
    const { runs } = this.#client;
    const unanswered = this.#options.slots.reduce((sum, slot) => sum + slot.unanswered, 0);
    const whyNot = async (id: string): Promise<string> => runs.why(id).catch(String);
    const open = [...this.#watcher.open].map(async (id) => `L1 ${id} has not ended: ${await whyNot(id)}`);
    return [
      ...(await Promise.all(open)),
      ...(unanswered > 0 ? [`L1 ${unanswered} requests had no answer`] : []),
    ];
  }
}
