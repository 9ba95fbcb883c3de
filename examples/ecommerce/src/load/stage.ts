import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Child } from "../demo/child.ts";
import { startNeighbours } from "../demo/neighbours.ts";
import type { OrderRequest } from "../order-request.ts";
import { openStorage } from "../storage.ts";
import { openLoop, percentile } from "./open-loop.ts";

export interface StagePlan {
  /** What Stripe takes for each answer. An order needs three: the payment is opened, looked at and confirmed. */
  readonly stripeMs: number;
  readonly perSecond: number;
  readonly seconds: number;
}

export interface Stage extends StagePlan {
  /** Answered with 200 or 202. */
  readonly accepted: number;
  readonly acceptedPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly completed: number;
  /** From the first order that completed to the last. */
  readonly completedPerSecond: number;
  /** From the last order that was sent to the last that completed. */
  readonly doneAfterMs: number;
}

/** How long after the last order was sent all must have completed, beside what Stripe takes for its three answers. */
const CLOSING_MS = 30_000;
const ANSWERS = 3;
const LOOK_MS = 100;

/** The service on a new SQLite file, alone with its neighbours, at one rate of orders. */
export async function runStage(plan: StagePlan): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "everstep-load-"));
  const neighbours = await startNeighbours({ figures: false });
  const storage = { STORE: "sqlite", SHOP_DB: join(folder, "shop.db") };
  const { store, database } = await openStorage(storage);
  try {
    await neighbours.stripe.slowDown(plan.stripeMs);
    const service = await Child.start("service.ts", {
      env: {
        ...storage,
        ...neighbours.warehouse.env,
        PORT: "0",
        STRIPE_SIMULATOR_PORT: String(neighbours.stripe.port),
        SMTP_URL: neighbours.mail.smtpUrl,
        RUNS_AT_A_TIME: "1000",
      },
    });
    try {
      const startedAt = Date.now();
      const answers = await openLoop(plan, (index) => sent(`${service.url}/orders`, index));
      const sentAt = startedAt + plan.seconds * 1_000;
      const accepted = answers.filter(({ ok }) => ok).length;
      const deadline = Date.now() + CLOSING_MS + ANSWERS * plan.stripeMs;
      while ((await database.orders()).length < accepted && Date.now() < deadline) await delay(LOOK_MS);
      const completedAt = (await database.orders()).map((row) => row.completedAt).toSorted((a, b) => a - b);
      const [first = Number.NaN, last = Number.NaN] = [completedAt[0], completedAt.at(-1)];
      const latencies = answers.map(({ ms }) => ms);
      return {
        ...plan,
        accepted,
        acceptedPerSecond: accepted / plan.seconds,
        p50Ms: percentile(latencies, 0.5),
        p99Ms: percentile(latencies, 0.99),
        completed: completedAt.length,
        completedPerSecond: (1_000 * completedAt.length) / (last - first),
        doneAfterMs: Math.max(0, last - sentAt),
      };
    } finally {
      await service.end("SIGKILL");
    }
  } finally {
    await store.close();
    await database.close();
    await neighbours.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sent(url: string, index: number): Promise<boolean> {
  const order: OrderRequest = {
    orderId: `load-${index}`,
    userId: `user-${index % 100}`,
    items: [{ productId: index % 2 === 0 ? "mug" : "tea", quantity: 1, price: 1_250 }],
    paymentMethodId: "pm_card_visa",
  };
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(order) });
    await response.arrayBuffer();
    return response.status === 200 || response.status === 202;
  } catch {
    return false;
  }
}
