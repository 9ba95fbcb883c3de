/**
 * A day at the shop: customers order; Stripe, the mail server and the warehouse have their troubles; and the service is killed again
 * and again, some of the times between a charge and its journal entry. Leaves the evidence from which the books are closed.
 */
import { join } from "node:path";
import { Client } from "@everstep/core";
import { EffectLedger } from "../books/effect-ledger.ts";
import type { Evidence } from "../books/evidence.ts";
import { openStorage } from "../storage.ts";
import { Auditor } from "./auditor.ts";
import { Course, type Evening, type Tally } from "./course.ts";
import { FrontDoor } from "./front-door.ts";
import type { Neighbours } from "./neighbours.ts";
import { type Mending, Operator } from "./operator.ts";
import type { Plan, Spell } from "./plan.ts";
import type { Premises } from "./premises.ts";
import { ServiceProcesses } from "./service-processes.ts";
import { WEBHOOK_SECRET } from "./stripe-process.ts";

export interface Day extends Tally, Pick<Evening, "exitCodes" | "listed" | "ms"> {
  readonly evidence: Evidence;
  /** How many processes of the service worked at a time. */
  readonly processes: number;
  readonly outages: readonly Spell[];
  readonly mendings: readonly Mending[];
  /** Whether the figures were added up by the pipes. */
  readonly hasPipes: boolean;
  /** What the service wrote to its standard error. */
  readonly complaints: string;
}

export interface DayOptions {
  readonly premises: Premises;
  readonly neighbours: Neighbours;
  /** For the ledger of effects. */
  readonly folder: string;
  readonly onProgress: (tally: Tally) => void;
  /** Ends the day early, which then has no evidence. */
  readonly signal: AbortSignal;
}

/**
 * The longest wait between two tries of a mail, as a part of the outage. Not much shorter: a wait of less than five seconds keeps its
 * run in the process, and a run whose process is killed twice without progress is suspected of killing it.
 */
const MAIL_RETRY_PART = 0.6;

/** Lives through the day. All processes of the service have ended when this settles. */
export async function runDay(plan: Plan, options: DayOptions): Promise<Day> {
  const { premises, neighbours, folder, onProgress, signal } = options;
  const ledgerPath = join(folder, "effects.jsonl");
  const ledger = new EffectLedger(ledgerPath);
  const { store, database } = await openStorage(premises.env);
  const services = new ServiceProcesses({
    env: { ...serviceEnv(plan, neighbours), ...premises.env, EFFECT_LEDGER: ledgerPath },
    count: premises.processes,
  });
  const door = await FrontDoor.open(() => services.url);
  const auditor = new Auditor(new Client({ store }), ledger);
  const operator = new Operator(premises.address);
  const course = new Course({ ...neighbours, services, auditor, operator, ledger, onProgress, signal });
  try {
    await neighbours.stripe.sendWebhooksTo(`${door.url}/webhooks/stripe`);
    const { answers, records: customers, ...evening } = await course.through(plan);
    const evidence: Evidence = {
      customers,
      answers,
      ...(await auditor.runsByKind()),
      orders: await database.orders(),
      stock: await database.stock(),
      reservations: await database.reservations(),
      points: await database.points(),
      mails: await neighbours.mail.mails(),
      warehouse: await neighbours.warehouse.sums(),
      stripe: await neighbours.stripe.operations(),
      effects: ledger.read(),
    };
    return {
      ...course.tally,
      ...evening,
      caught: course.caught.proven(evidence.effects),
      evidence,
      processes: premises.processes,
      outages: plan.spells,
      mendings: operator.mendings,
      hasPipes: neighbours.warehouse.hasPipes,
      complaints: services.complaints,
    };
  } finally {
    await services.end("SIGKILL");
    door.close();
    await store.close();
    await database.close();
  }
}

function serviceEnv(plan: Plan, { stripe, mail, warehouse }: Neighbours): Record<string, string> {
  const outage = plan.spells.find(({ what }) => what === "no-mail");
  const outageMs = outage === undefined ? 0 : outage.toMs - outage.fromMs;
  return {
    PORT: "0",
    STRIPE_SIMULATOR_PORT: String(stripe.port),
    // A held answer never comes.
    STRIPE_TIMEOUT_MS: "3000",
    STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
    SMTP_URL: mail.smtpUrl,
    MAIL_FROM: "The shop <orders@shop.example>",
    MAIL_RETRY_MAX: `${Math.round(MAIL_RETRY_PART * outageMs)}ms`,
    PAYMENT_LOOK_AGAIN: "10s",
    ...warehouse.env,
  };
}
