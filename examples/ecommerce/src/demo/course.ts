import { setTimeout as delay } from "node:timers/promises";
import type { EffectLedger } from "../books/effect-ledger.ts";
import type { Auditor } from "./auditor.ts";
import { Caught, chargerOf } from "./caught.ts";
import { Customers } from "./customers.ts";
import type { PlannedOrder } from "./fates.ts";
import type { MailProcess } from "./mail-process.ts";
import type { Operator } from "./operator.ts";
import { ordersOf, type Plan, type Spell } from "./plan.ts";
import type { ServiceProcesses } from "./service-processes.ts";
import type { StripeProcess } from "./stripe-process.ts";
import type { Warehouse } from "./warehouse.ts";

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
  /** What is not as it should be just now. */
  readonly spells: readonly Spell["what"][];
}

/** How long a kill waits for the charge that it is aimed at: also while Stripe is slow. */
const AIM_MS = 6_000;
/** How long a kill waits for orders to end since the one before: some must also come when nothing moves. */
const SERVED_MS = 3_000;
/** How long after the last order nothing may end before the day is given up: a loaded machine takes its time, a lost order for ever. */
const STILL_MS = 45_000;
/** How long the page for operations may take to list what is stuck. */
const LISTED_MS = 10_000;
const LOOK_MS = 250;
/** What Stripe takes for each answer while it is slow. */
export const SLOW_MS = 400;
/** How often the warehouse says to come later, and says nothing. */
const TROUBLE_EVERY_MS = 500;

export interface Setting {
  readonly stripe: StripeProcess;
  readonly mail: MailProcess;
  readonly warehouse: Warehouse;
  readonly services: ServiceProcesses;
  readonly auditor: Auditor;
  readonly operator: Operator;
  readonly ledger: EffectLedger;
  readonly onProgress: (tally: Tally) => void;
  readonly signal: AbortSignal;
}

export interface Evening extends Pick<Customers, "answers" | "records"> {
  readonly exitCodes: readonly (number | null)[];
  /** Of the runs that were stuck, those that the page for operations listed. */
  readonly listed: number;
  readonly ms: number;
}

/** What happens, in which order. */
export class Course {
  readonly #setting: Setting;
  readonly #closed = new AbortController();
  readonly #customers: Customers;
  readonly caught: Caught = new Caught();
  readonly #spells = new Set<Spell["what"]>();
  #openedAt = 0;
  #sent = 0;
  #aimed = 0;
  #listed = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#customers = new Customers({
      url: () => setting.services.url,
      charged: (orderId) => setting.stripe.holds(orderId, AIM_MS),
      closed: this.#closed.signal,
    });
    setting.signal.addEventListener("abort", () => this.#closed.abort(), { once: true });
  }

  get tally(): Tally {
    const { ended, unanswered } = this.#customers;
    return {
      sent: this.#sent,
      ended,
      unanswered,
      kills: this.#setting.services.kills,
      aimed: this.#aimed,
      caught: this.caught.suspected,
      spells: [...this.#spells],
    };
  }

  /** Ends the services by SIGTERM in the evening. */
  async through(plan: Plan): Promise<Evening> {
    const { services, stripe, auditor, signal } = this.#setting;
    const faults = ordersOf(plan).flatMap((order) => order.faults);
    for (const fault of faults) await stripe.cause(fault);
    await services.start();
    this.#openedAt = performance.now();
    try {
      await Promise.all([this.#live(plan), this.#keepLooking()]);
    } finally {
      this.#closed.abort();
    }
    signal.throwIfAborted();
    const exitCodes = await services.end("SIGTERM");
    await auditor.look();
    const { answers, records } = this.#customers;
    return { answers, records, exitCodes, listed: this.#listed, ms: performance.now() - this.#openedAt };
  }

  /** Until every customer knows how the order ended and nothing is left to do; or until nothing moves any more. */
  async #live(plan: Plan): Promise<void> {
    const visits = plan.invalid.map((order) => this.#customers.invalid(order));
    const spells = plan.spells.map((spell) => this.#spell(spell));
    await Promise.all([this.#send(plan, visits), this.#kill(plan, visits), ...spells]);
    await Promise.race([Promise.all([Promise.all(visits), this.#mendAll()]), this.#still()]);
    this.#closed.abort();
    await Promise.all(visits);
  }

  async #still(): Promise<void> {
    let ended = -1;
    let since = performance.now();
    while (!this.#closed.signal.aborted && performance.now() < since + STILL_MS) {
      const now = this.#customers.ended + this.#setting.auditor.ended;
      if (now > ended) since = performance.now();
      ended = now;
      await this.#pause(LOOK_MS);
    }
  }

  async #send({ visits: planned }: Plan, visits: Promise<void>[]): Promise<void> {
    for (const { atMs, order } of planned) {
      await this.#until(atMs);
      if (this.#closed.signal.aborted) return;
      this.#receive(order, visits);
    }
  }

  async #spell({ what, fromMs, toMs }: Spell): Promise<void> {
    const { stripe, mail } = this.#setting;
    await this.#until(fromMs);
    if (this.#closed.signal.aborted) return;
    this.#spells.add(what);
    if (what === "slow-stripe") await stripe.slowDown(SLOW_MS);
    if (what === "no-mail") await mail.outage(true);
    if (what === "troubled-figures") await this.#troubleFigures(toMs);
    await this.#until(toMs);
    this.#spells.delete(what);
    if (what === "slow-stripe") await stripe.slowDown(0);
    if (what === "no-mail") await mail.outage(false);
  }

  async #troubleFigures(toMs: number): Promise<void> {
    while (performance.now() < this.#openedAt + toMs - TROUBLE_EVERY_MS && !this.#closed.signal.aborted) {
      await this.#setting.warehouse.trouble();
      await this.#pause(TROUBLE_EVERY_MS);
    }
  }

  async #kill({ kills }: Plan, visits: Promise<void>[]): Promise<void> {
    const { services, stripe } = this.#setting;
    let restarted: Promise<unknown> = Promise.resolve();
    for (const { atMs, afterEnded, target, blackout } of kills) {
      await Promise.all([this.#until(atMs), this.#served(afterEnded)]);
      // The last one that is up is left alone until another one is.
      if (blackout || services.up < 2) await restarted;
      const charger = target && (await this.#chargerOf(target, visits));
      if (this.#closed.signal.aborted) return;
      if (blackout) await stripe.forgetKeys();
      const killed = blackout ? await services.killAll() : [await services.kill(charger)];
      if (charger !== undefined) this.#aimed += 1;
      await this.#noteCaught(killed);
      restarted = Promise.all([restarted, services.start()]);
      // It is looked at when it is awaited.
      restarted.catch(() => undefined);
    }
    await restarted;
  }

  /** Answers who waits for Stripe's answer that this order is charged; nobody, when that does not come about. */
  async #chargerOf(target: PlannedOrder, visits: Promise<void>[]): Promise<number | undefined> {
    const { stripe, ledger } = this.#setting;
    const { orderId } = target.request;
    const held = stripe.holds(orderId, AIM_MS);
    this.#receive(target, visits);
    return (await held) ? chargerOf(orderId, ledger.read()) : undefined;
  }

  #receive(order: PlannedOrder, visits: Promise<void>[]): void {
    visits.push(this.#customers.order(order));
    this.#sent += 1;
  }

  /** Counted in orders, since a loaded machine gets nothing done in a short time. */
  async #served(orders: number): Promise<void> {
    const deadline = performance.now() + SERVED_MS;
    const enough = this.#customers.ended + orders;
    while (this.#customers.ended < enough && performance.now() < deadline) await this.#pause(10);
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

  /** The evening: what is stuck is mended, until every run has ended. */
  async #mendAll(): Promise<void> {
    const { auditor, operator, warehouse } = this.#setting;
    while (!this.#closed.signal.aborted) {
      const runs = await auditor.runs();
      const stuck = runs.filter(({ status }) => status === "stuck").map(({ id }) => id);
      if (warehouse.hasPipes && stuck.length > 0) this.#listed += await this.#listedOf(stuck);
      if (stuck.length > 0) await operator.mend(stuck);
      if (runs.every(({ endedAt }) => endedAt !== null)) return;
      await this.#pause(LOOK_MS);
    }
  }

  async #listedOf(stuck: readonly string[]): Promise<number> {
    const deadline = performance.now() + LISTED_MS;
    for (;;) {
      const listed = await this.#setting.warehouse.stuckRuns();
      const count = stuck.filter((run) => listed.includes(run)).length;
      if (count === stuck.length || performance.now() > deadline || this.#closed.signal.aborted) return count;
      await this.#pause(LOOK_MS);
    }
  }

  async #keepLooking(): Promise<void> {
    const { auditor, onProgress } = this.#setting;
    while (!this.#closed.signal.aborted) {
      await auditor.look();
      onProgress(this.tally);
      await this.#pause(LOOK_MS);
    }
  }

  #until(atMs: number): Promise<void> {
    return this.#pause(Math.max(0, this.#openedAt + atMs - performance.now()));
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#closed.signal }).catch(() => undefined);
  }
}
