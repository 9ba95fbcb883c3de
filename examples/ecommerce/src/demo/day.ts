/**
 * A day at the shop: customers order, Stripe has its troubles, and the service is killed again and again, some of the times
 * between a charge and its journal entry. Leaves the evidence from which the books are closed.
 */
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { sqlite } from "@everstep/adapters/sqlite";
import { Client } from "@everstep/core";
import { EffectLedger } from "../effect-ledger.ts";
import type { Evidence } from "../evidence.ts";
import { ShopDatabase } from "../shop-database.ts";
import type { FaultInput } from "../simulator/faults.ts";
import type { Operation } from "../simulator/stripe-account.ts";
import { Auditor } from "./auditor.ts";
import { Child } from "./child.ts";
import { Customers } from "./customers.ts";
import type { Plan, Round } from "./plan.ts";

export interface Tally {
  readonly sent: number;
  readonly ended: number;
  readonly unanswered: number;
  readonly kills: number;
  /** Kills that came when Stripe had charged and the service had not heard of it. */
  readonly aimed: number;
  /** Orders that were charged, and whose journal did not know it, when the service died. */
  readonly caught: number;
}

export interface Day extends Tally {
  readonly evidence: Evidence;
  readonly ms: number;
  /** The service's exit code on SIGTERM, and all that it wrote to its standard error. */
  readonly exitCode: number | null;
  readonly complaints: string;
}

/** How long a kill waits for the charge that it is aimed at. */
const AIM_MS = 3_000;
/** How long after the last kill all orders must have ended. */
const CLOSING_MS = 25_000;
const AUDIT_MS = 100;

export async function runDay(plan: Plan, folder: string, onProgress: (tally: Tally) => void): Promise<Day> {
  const held = new EventEmitter();
  const simulator = await Child.start("stripe-simulator.ts", { onHeld: (orderId) => held.emit(orderId) });
  const run = new DayRun({ simulator, held, folder, onProgress });
  try {
    return await run.through(plan);
  } finally {
    await run.close();
    await simulator.end("SIGKILL");
  }
}

interface Setting {
  readonly simulator: Child;
  readonly held: EventEmitter;
  readonly folder: string;
  readonly onProgress: (tally: Tally) => void;
}

class DayRun {
  readonly #setting: Setting;
  readonly #closed = new AbortController();
  readonly #customers: Customers;
  readonly #database: string;
  readonly #ledger: EffectLedger;
  readonly #startedAt = performance.now();
  readonly #caught = new Set<string>();
  #service: Child | undefined;
  #complaints = "";
  #sent = 0;
  #kills = 0;
  #aimed = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#database = join(setting.folder, "shop.db");
    this.#ledger = new EffectLedger(join(setting.folder, "effects.jsonl"));
    const url = (): string | undefined => this.#service && `http://127.0.0.1:${this.#service.port}`;
    this.#customers = new Customers(url, this.#closed.signal);
  }

  async through(plan: Plan): Promise<Day> {
    await this.#start();
    const store = sqlite(this.#database);
    const auditor = new Auditor(new Client({ store }), this.#ledger);
    const auditing = this.#keepLooking(auditor);
    const visits = plan.invalid.map((order) => this.#customers.invalid(order));
    for (const round of plan.rounds) visits.push(...(await this.#round(round, auditor)));
    await this.#awaitAll(visits);
    this.#closed.abort();
    await auditing;
    const exitCode = await this.#stop();
    await auditor.look();
    const evidence = await this.#evidence(auditor);
    await store.close();
    const ms = performance.now() - this.#startedAt;
    return { ...this.#tally(), evidence, ms, exitCode, complaints: this.#complaints };
  }

  /** Ends what still runs, for whatever reason the day is over. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#service?.end("SIGKILL");
  }

  async #round({ orders, kill }: Round, auditor: Auditor): Promise<Promise<void>[]> {
    for (const { fault } of orders) if (fault !== undefined) await this.#cause(fault);
    const isMoment = "whenCharged" in kill ? this.#chargeOf(kill.whenCharged) : delay(kill.afterMs, false);
    const visits = orders.map((order) => this.#customers.order(order));
    this.#sent += orders.length;
    const aimed = await isMoment;
    await this.#kill();
    if (aimed) this.#aimed += 1;
    await this.#noteCaught(auditor);
    await this.#start();
    this.#setting.onProgress(this.#tally());
    return visits;
  }

  /** True once Stripe has executed the charge and holds its answer back; false when that takes too long. */
  #chargeOf(orderId: string): Promise<boolean> {
    const patience = AbortSignal.timeout(AIM_MS);
    return once(this.#setting.held, orderId, { signal: patience }).then(
      () => true,
      () => false,
    );
  }

  async #start(): Promise<void> {
    this.#service = await Child.start("service.ts", {
      env: {
        SHOP_DB: this.#database,
        PORT: "0",
        STRIPE_SIMULATOR_PORT: String(this.#setting.simulator.port),
        EFFECT_LEDGER: join(this.#setting.folder, "effects.jsonl"),
      },
    });
  }

  async #kill(): Promise<void> {
    const service = this.#service;
    this.#service = undefined;
    if (service === undefined || !service.alive)
      throw new Error(`the service died by itself:\n${service?.complaints}`);
    await service.end("SIGKILL");
    this.#complaints += service.complaints;
    this.#kills += 1;
  }

  async #stop(): Promise<number | null> {
    const service = this.#service;
    this.#service = undefined;
    const exitCode = (await service?.end("SIGTERM")) ?? null;
    this.#complaints += service?.complaints ?? "";
    return exitCode;
  }

  /** While the service is dead nothing is journaled: what Stripe has charged and no journal knows was cut in between. */
  async #noteCaught(auditor: Auditor): Promise<void> {
    const charged = (await this.#operations()).filter(({ kind }) => kind === "charged");
    await auditor.look();
    for (const { orderId } of charged) {
      if (!auditor.knows(orderId, "step charge-payment")) this.#caught.add(orderId);
    }
  }

  async #keepLooking(auditor: Auditor): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await auditor.look();
      this.#setting.onProgress(this.#tally());
      await delay(AUDIT_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }

  async #awaitAll(visits: readonly Promise<void>[]): Promise<void> {
    const tooLate = delay(CLOSING_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    await Promise.race([Promise.all(visits), tooLate]);
    this.#closed.abort();
    await Promise.all(visits);
  }

  async #evidence(auditor: Auditor): Promise<Evidence> {
    const database = new ShopDatabase(this.#database);
    const { records: customers, answers } = this.#customers;
    const evidence: Evidence = {
      customers,
      answers,
      runs: await auditor.runs(),
      orders: database.orders(),
      stock: database.stock(),
      reservations: database.reservations(),
      stripe: await this.#operations(),
      effects: this.#ledger.read(),
    };
    database.close();
    return evidence;
  }

  async #cause(fault: FaultInput): Promise<void> {
    await fetch(this.#simulated("faults"), { method: "POST", body: JSON.stringify(fault) });
  }

  async #operations(): Promise<readonly Operation[]> {
    const answer = await fetch(this.#simulated("ledger"));
    const { operations } = (await answer.json()) as { readonly operations: readonly Operation[] };
    return operations;
  }

  #simulated(path: string): string {
    return `http://127.0.0.1:${this.#setting.simulator.port}/_sim/${path}`;
  }

  #tally(): Tally {
    const { ended, unanswered } = this.#customers;
    return {
      sent: this.#sent,
      ended,
      unanswered,
      kills: this.#kills,
      aimed: this.#aimed,
      caught: this.#caught.size,
    };
  }
}
