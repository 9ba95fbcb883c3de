/**
 * The shop: HTTP and a worker in one process. It may be killed at any moment; started again, it goes on. On Postgres any number
 * of these processes share the orders, and what one of them leaves undone, another does.
 *
 *     STORE               sqlite: the file at SHOP_DB, shop.db; postgres: the database at DATABASE_URL; or the URL of one
 *     STRIPE_SECRET_KEY   a test key of yours; without one, the simulator at STRIPE_SIMULATOR_PORT (12111) is used
 *     PORT                3000
 *     EFFECT_LEDGER       a file to which each body reports itself, for the demo
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Client, Worker } from "@everstep/core";
import { createApi } from "./api.ts";
import { catalogue } from "./catalogue.ts";
import { EffectLedger, witnessed } from "./books/effect-ledger.ts";
import { orderWorkflow } from "./order.ts";
import { connectStripe, Payments } from "./payments.ts";
import { openShop } from "./shop.ts";
import { openStorage } from "./storage.ts";

// Started by another process, such as the demo: don't outlive it.
process.on("disconnect", () => process.exit(1));

const { env } = process;
const ledger = env["EFFECT_LEDGER"];

const { store, database } = await openStorage(env);
await database.receive(catalogue);
const stripe = connectStripe({
  secretKey: env["STRIPE_SECRET_KEY"],
  simulatorPort: Number(env["STRIPE_SIMULATOR_PORT"] ?? 12111),
});
const shop = openShop(database, new Payments(stripe));
const order = orderWorkflow(ledger === undefined ? shop : witnessed(shop, new EffectLedger(ledger)));

const worker = new Worker({ store, workflows: [order], concurrency: 100 });
await worker.start();

const server = createApi({ client: new Client({ store }), order }).listen(
  Number(env["PORT"] ?? 3000),
  "127.0.0.1",
);
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
