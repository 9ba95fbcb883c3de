/**
 * A day at the shop: customers order, Stripe has its troubles, and the service is killed again and again, some of the times
 * between a charge and its journal entry. Leaves the evidence from which the books are closed.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { sqlite } from "@everstep/adapters/sqlite";
import { Client } from "@everstep/core";
import { EffectLedger } from "../effect-ledger.ts";
import type { Evidence } from "../evidence.ts";
import { ShopDatabase } from "../shop-database.ts";
import { Auditor } from "./auditor.ts";
import { Customers } from "./customers.ts";
import type { Plan, RandomKill, Round } from "./plan.ts";
import { ServiceProcess } from "./service-process.ts";
import { StripeProcess } from "./stripe-process.ts";

export interface Tally {
  readonly sent: number;
  readonly ended: number;
  /** Requests of customers that got no answer. */
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
  /** Of the service, when it was asked in the evening to end by itself. */
  readonly exitCode: number | null;
  /** What the service wrote to its standard error. */
  readonly complaints: string;
}

/** How long a kill waits for the charge that it is aimed at. */
const AIM_MS = 2_000;
/** How long a random kill waits for orders to end: some must also come when nothing moves. */
const SERVED_MS = 1_500;
/** How long after the last kill all orders must have ended. */
const CLOSING_MS = 25_000;
const AUDIT_MS = 250;

export interface DayOptions {
  /** For the databases. */
  readonly folder: string;
  readonly onProgress: (tally: Tally) => void;
  /** Ends the day early, which then has no evidence. */
  readonly signal: AbortSignal;
}

/** Lives through the day. All its processes have ended when this settles. */
export async function runDay(plan: Plan, { folder, onProgress, signal }: DayOptions): Promise<Day> {
  const stripe = await StripeProcess.start();
  const path = join(folder, "shop.db");
  const ledger = join(folder, "effects.jsonl");
  const env = { SHOP_DB: path, PORT: "0", STRIPE_SIMULATOR_PORT: String(stripe.port), EFFECT_LEDGER: ledger };
  const service = new ServiceProcess(env);
  const store = sqlite(path);
  const auditor = new Auditor(new Client({ store }), new EffectLedger(ledger));
  const day = new Course({ stripe, service, auditor, onProgress, signal });
  try {
    const { answers, records: customers, exitCode, ms } = await day.through(plan);
    const evidence: Evidence = {
      customers,
      answers,
      runs: await auditor.runs(),
      ...booksOf(path),
      stripe: await stripe.operations(),
      effects: new EffectLedger(ledger).read(),
    };
    return { ...day.tally, evidence, ms, exitCode, complaints: service.complaints };
  } finally {
    await service.end("SIGKILL");
    await stripe.end();
    await store.close();
  }
}

function booksOf(path: string): Pick<Evidence, "orders" | "stock" | "reservations"> {
  const database = new ShopDatabase(path);
  try {
    return { orders: database.orders(), stock: database.stock(), reservations: database.reservations() };
  } finally {
    database.close();
  }
}

interface Setting {
  readonly stripe: StripeProcess;
  readonly service: ServiceProcess;
  readonly auditor: Auditor;
  readonly onProgress: (tally: Tally) => void;
  readonly signal: AbortSignal;
}

interface Evening extends Pick<Customers, "answers" | "records"> {
  readonly exitCode: number | null;
  readonly ms: number;
}

/** What happens, in which order. */
class Course {
  readonly #setting: Setting;
  readonly #closed = new AbortController();
  readonly #customers: Customers;
  readonly #caught = new Set<string>();
  #sent = 0;
  #aimed = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#customers = new Customers(() => setting.service.url, this.#closed.signal);
    setting.signal.addEventListener("abort", () => this.#closed.abort(), { once: true });
  }

  get tally(): Tally {
    const { ended, unanswered } = this.#customers;
    const { kills } = this.#setting.service;
    return { sent: this.#sent, ended, unanswered, kills, aimed: this.#aimed, caught: this.#caught.size };
  }

  async through(plan: Plan): Promise<Evening> {
    const startedAt = performance.now();
    const { service, auditor, signal } = this.#setting;
    await service.start();
    try {
      await Promise.all([this.#trade(plan), this.#keepLooking()]);
    } finally {
      this.#closed.abort();
    }
    signal.throwIfAborted();
    const exitCode = await service.end("SIGTERM");
    await auditor.look();
    const { answers, records } = this.#customers;
    return { answers, records, exitCode, ms: performance.now() - startedAt };
  }

  /** Until every customer knows how the order ended, or has waited long enough. */
  async #trade(plan: Plan): Promise<void> {
    const visits = plan.invalid.map((order) => this.#customers.invalid(order));
    for (const [index, round] of plan.rounds.entries()) {
      if (index === plan.forgetfulRound) await this.#setting.stripe.forgetKeys();
      visits.push(...(await this.#round(round)));
      if (this.#closed.signal.aborted) return;
    }
    const patience = delay(CLOSING_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    await Promise.race([Promise.all(visits), patience]);
    this.#closed.abort();
    await Promise.all(visits);
  }

  async #round({ orders, kill }: Round): Promise<Promise<void>[]> {
    const { stripe, service } = this.#setting;
    for (const { fault } of orders) if (fault !== undefined) await stripe.cause(fault);
    const moment = "whenCharged" in kill ? stripe.holds(kill.whenCharged, AIM_MS) : this.#served(kill);
    const visits = orders.map((order) => this.#customers.order(order));
    this.#sent += orders.length;
    const isAimed = await moment;
    await service.kill();
    if (isAimed) this.#aimed += 1;
    await this.#noteCaught();
    await service.start();
    return visits;
  }

  /** Answers false: nobody aimed. */
  async #served({ afterEnded, afterMs }: RandomKill): Promise<false> {
    const deadline = performance.now() + SERVED_MS;
    const enough = this.#customers.ended + afterEnded;
    while (this.#customers.ended < enough && performance.now() < deadline) await delay(10);
    return delay(afterMs, false);
  }

  /** While the service is dead nothing is journaled: what Stripe has charged and no journal knows was cut in between. */
  async #noteCaught(): Promise<void> {
    const { stripe, auditor } = this.#setting;
    const charged = (await stripe.operations()).filter(({ kind }) => kind === "charged");
    await auditor.look();
    for (const { orderId } of charged) {
      if (!auditor.knows(orderId, "step charge-payment")) this.#caught.add(orderId);
    }
  }

  async #keepLooking(): Promise<void> {
    const { auditor, onProgress } = this.#setting;
    while (!this.#closed.signal.aborted) {
      await auditor.look();
      onProgress(this.tally);
      await delay(AUDIT_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }
}
