import { once } from "node:events";
import type { AddressInfo } from "node:net";
import {
  Client,
  type Duration,
  type Logger,
  type OutboxOptions,
  Worker,
  type Workflow,
} from "@everstep/core";
import { onTestFinished } from "vitest";
import { createApi } from "../src/api.ts";
import { orderWorkflow } from "../src/order.ts";
import type { OrderCompleted } from "../src/order-completed.ts";
import type { OrderRequest, Receipt } from "../src/order-request.ts";
import { Payments } from "../src/payments.ts";
import { postOrderWorkflow } from "../src/post-order.ts";
import { refundFailed } from "../src/refund-failed.ts";
import { openShop, type Shop } from "../src/shop.ts";
import type { ShopDatabase, ShopTables } from "../src/shop-database.ts";
import { openStorage } from "../src/storage.ts";
import { stripeWebhooks } from "../src/webhooks.ts";
import { emptyDatabase, type Engine } from "./empty-database.ts";
import { type SimulatedStripe, simulatedStripe } from "./simulated-stripe.ts";

export interface OpenShop {
  readonly simulator: SimulatedStripe;
  readonly database: ShopDatabase;
  readonly client: Client;
  readonly order: Workflow<OrderRequest, Receipt>;
  /** Sends a request to the shop's API. */
  readonly send: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>;
  readonly url: string;
  /** What was handed to the mail server, and to Tinybird. */
  readonly mails: readonly OrderCompleted[];
  readonly figures: readonly object[];
}

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The whole shop in this process, with three lamps, for one test. `instead` replaces what a step does to the shop's tables. */
export async function openedShop({
  engine = "SQLite",
  instead = {},
  around = (shop) => shop,
  lookAgainAfter,
  webhookSecret,
  outbox,
  waitMs = 5_000,
}: {
  readonly engine?: Engine;
  readonly instead?: Partial<ShopTables>;
  /** What its workflows get in place of the shop. */
  readonly around?: (shop: Shop) => Shop;
  readonly lookAgainAfter?: Duration;
  /** With it, the simulator sends webhooks to the shop. */
  readonly webhookSecret?: string;
  readonly outbox?: OutboxOptions;
  readonly waitMs?: number;
} = {}): Promise<OpenShop> {
  const simulator = await simulatedStripe();
  const { store, database } = await openStorage(await emptyDatabase(engine));
  await database.receive([{ productId: "lamp", name: "Desk lamp", received: 3 }]);
  const mails: OrderCompleted[] = [];
  const figures: object[] = [];
  const own = openShop({
    database,
    payments: new Payments(simulator.stripe),
    mail: { confirm: (order) => Promise.resolve(void mails.push(order)) },
    tinybird: { append: (_, rows) => Promise.resolve(void figures.push(...rows)) },
  });
  const shop = around(changed(own, instead));
  const order = orderWorkflow(shop, { lookAgainAfter });
  const workflows = [order, postOrderWorkflow(shop), refundFailed];
  const worker = new Worker({ store, workflows, logger: silent, ...(outbox && { outbox }) });
  await worker.start();
  const client = new Client({ store });
  const secret = webhookSecret;
  const webhooks = secret === undefined ? undefined : stripeWebhooks({ client, secret });
  const server = createApi({ client, order, orders: database, webhooks, waitMs }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await worker.stop({ grace: 0 });
    await store.close();
    await database.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  if (secret !== undefined) await simulator.sendWebhooks({ url: `${url}/webhooks/stripe`, secret });
  const send: OpenShop["send"] = async (method, path, body) => {
    const headers = { "content-type": "application/json" };
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(url + path, { method, headers, ...content });
    return { status: response.status, body: await response.json() };
  };
  return { simulator, database, client, order, send, url, mails, figures };
}

function changed(shop: Shop, instead: Partial<ShopTables>): Shop {
  const changedTables = (tables: ShopTables): ShopTables => ({
    reserve: (request) => tables.reserve(request),
    confirm: (request, paid) => tables.confirm(request, paid),
    award: (order) => tables.award(order),
    ...instead,
  });
  return {
    ...shop,
    transaction: (ctx, name, body) => shop.transaction(ctx, name, (tables) => body(changedTables(tables))),
  };
}

export function lampOrder(orderId: string, change: Partial<OrderRequest> = {}): OrderRequest {
  const items = [{ productId: "lamp", quantity: 1, price: 4_900 }];
  return { orderId, userId: "user-1", items, paymentMethodId: "pm_card_visa", ...change };
}
