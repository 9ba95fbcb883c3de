/**
 * The shop: HTTP and a worker in one process. It may be killed at any moment; started again, it goes on. On Postgres any number
 * of these processes share the orders, and what one of them leaves undone, another does.
 *
 *     STORE                   sqlite: the file at SHOP_DB, shop.db; postgres: the database at DATABASE_URL; or the URL of one
 *     STRIPE_SECRET_KEY       a test key of yours; without one, the simulator at STRIPE_SIMULATOR_PORT (12111) is used
 *     STRIPE_TIMEOUT_MS       how long an answer of Stripe may take: 80000
 *     STRIPE_WEBHOOK_SECRET   of the endpoint /webhooks/stripe; without one there is none, and payments are looked at by the clock
 *     SMTP_URL, MAIL_FROM     smtp://127.0.0.1:12112, the stand-in for a mail server
 *     TINYBIRD_URL            http://127.0.0.1:12113, the stand-in for Tinybird
 *     TINYBIRD_APPEND_TOKEN   one that may append to its datasources
 *     PAYMENT_LOOK_AGAIN      how long a payment under way is left alone when no webhook comes: 1m
 *     MAIL_RETRY_MAX          the longest wait between two tries of a mail: 5m
 *     RUNS_AT_A_TIME          of orders and of what follows them, in this process: 100
 *     PORT                    3000
 *     ALLOWED_HOSTS           the names under which a proxy passes requests on, with commas between them: none
 *     EFFECT_LEDGER           a file to which each body reports itself, for the demo
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Client, Worker } from "@everstep/core";
import { createApi } from "./api.ts";
import { EffectLedger, witnessed } from "./books/effect-ledger.ts";
import { catalogue } from "./catalogue.ts";
import { hostsIn } from "./local-requests.ts";
import { Mail } from "./mail.ts";
import { orderWorkflow } from "./order.ts";
import { connectStripe, Payments } from "./payments.ts";
import { postOrderWorkflow } from "./post-order.ts";
import { refundFailed } from "./refund-failed.ts";
import { runFigures } from "./run-figures.ts";
import { openShop } from "./shop.ts";
import { openStorage } from "./storage.ts";
import { Tinybird } from "./tinybird.ts";
import { stripeWebhooks } from "./webhooks.ts";

// Started by another process, such as the demo: don't outlive it.
process.on("disconnect", () => process.exit(1));

const { env } = process;
const ledger = env["EFFECT_LEDGER"];

const { store, database } = await openStorage(env);
await database.receive(catalogue);
const stripe = connectStripe({
  secretKey: env["STRIPE_SECRET_KEY"],
  simulatorPort: Number(env["STRIPE_SIMULATOR_PORT"] ?? 12111),
  timeoutMs: Number(env["STRIPE_TIMEOUT_MS"] ?? 80_000),
});
const tinybird = new Tinybird({
  url: env["TINYBIRD_URL"] ?? "http://127.0.0.1:12113",
  token: env["TINYBIRD_APPEND_TOKEN"] ?? "local_append",
});
const mail = new Mail({
  url: env["SMTP_URL"] ?? "smtp://127.0.0.1:12112",
  from: env["MAIL_FROM"] ?? "The shop <orders@shop.example>",
});
const own = openShop({ database, payments: new Payments(stripe), mail, tinybird });
const shop = ledger === undefined ? own : witnessed(own, new EffectLedger(ledger));
const order = orderWorkflow(shop, { lookAgainAfter: env["PAYMENT_LOOK_AGAIN"] });
const postOrder = postOrderWorkflow(shop, { mailRetryMax: env["MAIL_RETRY_MAX"] });

const worker = new Worker({
  store,
  workflows: [order, postOrder, refundFailed],
  concurrency: Number(env["RUNS_AT_A_TIME"] ?? 100),
  outbox: { ship: runFigures(tinybird) },
});
await worker.start();

const client = new Client({ store });
const secret = env["STRIPE_WEBHOOK_SECRET"];
const webhooks = secret === undefined ? undefined : stripeWebhooks({ client, secret });
const hosts = hostsIn(env["ALLOWED_HOSTS"]);
const api = createApi({ client, order, orders: database, webhooks, hosts });
const server = api.listen(Number(env["PORT"] ?? 3000), "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
process.send?.({ listening: port });
if (process.send === undefined) console.log(`The shop is open: http://127.0.0.1:${port}`);

/** Takes no more orders, gives those under way ten seconds, and leaves the rest to the next process. */
async function close(): Promise<void> {
  server.close();
  const living = await worker.stop({ grace: "10s" });
  await store.close();
  await database.close();
  process.exit(living.length === 0 ? 0 : 1);
}

process.once("SIGTERM", () => void close());
process.once("SIGINT", () => void close());
