/**
 * A day at the shop: customers order, Stripe has its troubles, and the service is killed again and again, some of the times
 * between a charge and its journal entry. Leaves the evidence from which the books are closed.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "@everstep/core";
import { EffectLedger } from "../books/effect-ledger.ts";
import type { Evidence } from "../books/evidence.ts";
import type { ShopDatabase } from "../shop-database.ts";
import { openStorage } from "../storage.ts";
import { Auditor } from "./auditor.ts";
import { Caught, chargerOf } from "./caught.ts";
import { Customers } from "./customers.ts";
import type { Plan, RandomKill, Round } from "./plan.ts";
import type { Premises } from "./premises.ts";
import { ServiceProcesses } from "./service-processes.ts";
import { StripeProcess } from "./stripe-process.ts";

export interface Tally {
  readonly sent: number;
  readonly ended: number;
  /** Requests of customers that got no answer. */
  readonly unanswered: number;
  readonly kills: number;
  /** Kills that came when Stripe had charged and the service had not heard of it. */
  readonly aimed: number;
  /** Orders that were charged, and whose journal did not know it, when the process died that had charged them. */
  readonly caught: number;
}

export interface Day extends Tally {
  readonly evidence: Evidence;
  readonly ms: number;
  /** How many processes of the service worked at a time. */
  readonly processes: number;
  /** Of those processes, when they were asked in the evening to end by themselves. */
  readonly exitCodes: readonly (number | null)[];
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
  readonly premises: Premises;
  /** For the ledger of effects. */
  readonly folder: string;
  readonly onProgress: (tally: Tally) => void;
  /** Ends the day early, which then has no evidence. */
  readonly signal: AbortSignal;
}

/** Lives through the day. All its processes have ended when this settles. */
export async function runDay(plan: Plan, { premises, folder, onProgress, signal }: DayOptions): Promise<Day> {
  const { processes } = premises;
  const ledgerPath = join(folder, "effects.jsonl");
  const ledger = new EffectLedger(ledgerPath);
  const { store, database } = await openStorage(premises.env);
  const stripe = await StripeProcess.start();
  const simulator = { STRIPE_SIMULATOR_PORT: String(stripe.port) };
  const env = { ...premises.env, ...simulator, PORT: "0", EFFECT_LEDGER: ledgerPath };
  const services = new ServiceProcesses({ env, count: processes });
  const auditor = new Auditor(new Client({ store }), ledger);
  const course = new Course({ stripe, services, auditor, ledger, onProgress, signal });
  try {
    const { answers, records: customers, exitCodes, ms } = await course.through(plan);
    const evidence: Evidence = {
      customers,
      answers,
      runs: await auditor.runs(),
      ...(await booksOf(database)),
      stripe: await stripe.operations(),
      effects: ledger.read(),
    };
    const caught = course.caught.proven(evidence.effects);
    return { ...course.tally, caught, evidence, ms, processes, exitCodes, complaints: services.complaints };
  } finally {
    await services.end("SIGKILL");
    await stripe.end();
    await store.close();
    await database.close();
  }
}

async function booksOf(database: ShopDatabase): Promise<Pick<Evidence, "orders" | "stock" | "reservations">> {
  return {
    orders: await database.orders(),
    stock: await database.stock(),
    reservations: await database.reservations(),
  };
}

interface Setting {
  readonly stripe: StripeProcess;
  readonly services: ServiceProcesses;
  readonly auditor: Auditor;
  readonly ledger: EffectLedger;
  readonly onProgress: (tally: Tally) => void;
  readonly signal: AbortSignal;
}

interface Evening extends Pick<Customers, "answers" | "records"> {
  readonly exitCodes: readonly (number | null)[];
  readonly ms: number;
}

/** What happens, in which order. */
class Course {
  readonly #setting: Setting;
  readonly #closed = new AbortController();
  readonly #customers: Customers;
  readonly caught: Caught = new Caught();
  #sent = 0;
  #aimed = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#customers = new Customers(() => setting.services.url, this.#closed.signal);
    setting.signal.addEventListener("abort", () => this.#closed.abort(), { once: true });
  }

  get tally(): Tally {
    const { ended, unanswered } = this.#customers;
    const { kills } = this.#setting.services;
    const caught = this.caught.suspected;
    return { sent: this.#sent, ended, unanswered, kills, aimed: this.#aimed, caught };
  }

  async through(plan: Plan): Promise<Evening> {
    const startedAt = performance.now();
    const { services, auditor, signal } = this.#setting;
    await services.start();
    try {
      await Promise.all([this.#trade(plan), this.#keepLooking()]);
    } finally {
      this.#closed.abort();
    }
    signal.throwIfAborted();
    const exitCodes = await services.end("SIGTERM");
    await auditor.look();
    const { answers, records } = this.#customers;
    return { answers, records, exitCodes, ms: performance.now() - startedAt };
  }

  /** Until every customer knows how the order ended, or has waited long enough. */
  async #trade(plan: Plan): Promise<void> {
    const visits = plan.invalid.map((order) => this.#customers.invalid(order));
    for (const [index, round] of plan.rounds.entries()) {
      const isMidday = index === plan.blackoutRound;
      if (isMidday) await this.#setting.stripe.forgetKeys();
      visits.push(...(await this.#round(round, { killsAll: isMidday })));
      if (this.#closed.signal.aborted) return;
    }
    const patience = delay(CLOSING_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    await Promise.race([Promise.all(visits), patience]);
    this.#closed.abort();
    await Promise.all(visits);
  }

  async #round(
    { orders, kill }: Round,
    { killsAll }: { readonly killsAll: boolean },
  ): Promise<Promise<void>[]> {
    const { stripe, services } = this.#setting;
    for (const { fault } of orders) if (fault !== undefined) await stripe.cause(fault);
    const moment = "whenCharged" in kill ? this.#held(kill.whenCharged) : this.#served(kill);
    const visits = orders.map((order) => this.#customers.order(order));
    this.#sent += orders.length;
    const target = await moment;
    const killed = killsAll ? await services.killAll() : [await services.kill(target)];
    if (target !== undefined) this.#aimed += 1;
    await this.#noteCaught(killed);
    await services.start();
    return visits;
  }

  /** Answers who waits for Stripe's answer that this order is charged; nobody, when that does not come about. */
  async #held(orderId: string): Promise<number | undefined> {
    const isHeld = await this.#setting.stripe.holds(orderId, AIM_MS);
    return isHeld ? chargerOf(orderId, this.#setting.ledger.read()) : undefined;
  }

  /** Answers nobody: anyone may be killed then. */
  async #served({ afterEnded, afterMs }: RandomKill): Promise<undefined> {
    const deadline = performance.now() + SERVED_MS;
    const enough = this.#customers.ended + afterEnded;
    while (this.#customers.ended < enough && performance.now() < deadline) await delay(10);
    return delay(afterMs, undefined);
  }

  async #noteCaught(killed: readonly number[]): Promise<void> {
    const { stripe, auditor, ledger } = this.#setting;
    const charges = (await stripe.operations()).filter(({ kind }) => kind === "charged");
    await auditor.look();
    this.caught.note({
      killed,
      charged: charges.map(({ orderId }) => orderId),
      effects: ledger.read(),
      isJournaled: (orderId, entry) => auditor.knows(orderId, entry),
    });
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
