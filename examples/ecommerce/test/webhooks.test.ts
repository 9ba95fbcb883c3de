import { type Client, StoreUnavailableError } from "@everstep/core";
import express from "express";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApi } from "../src/api.ts";
import { orderWorkflow } from "../src/order.ts";
import { stripeWebhooks } from "../src/webhooks.ts";
import { ENGINES } from "./empty-database.ts";
import { lampOrder, openedShop, type OpenShop } from "./open-shop.ts";
import { postWebhook, type Signing, webhookSecret } from "./stripe-webhook.ts";
import { toyShop, ToyWorld } from "./toy-world.ts";

const DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds";

/** So far off that nothing but a webhook moves a payment that is under way. */
const never = "30d";

interface Sent extends Signing {
  readonly id?: string;
  readonly type?: string;
  readonly orderId?: string | undefined;
}

/** Sends a webhook about a payment; answers the status. */
async function sendWebhook({ url }: Pick<OpenShop, "url">, sent: Sent): Promise<number> {
  const { id = "evt_1", type = "payment_intent.succeeded", orderId, ...signing } = sent;
  const metadata = orderId === undefined ? {} : { order_id: orderId };
  const object = { id: "pi_1", object: "payment_intent", metadata };
  return postWebhook(url, JSON.stringify({ id, object: "event", type, data: { object } }), signing);
}

async function steps({ client }: OpenShop, orderId: string): Promise<string[]> {
  const { journal } = await client.runs.read(orderId);
  return journal.filter(({ kind }) => kind === "step").map(({ key }) => key);
}

describe.for(ENGINES)("on %s a payment that takes its time (F127)", (engine) => {
  test("is found out about by Stripe's webhooks, doubled and in disorder as they are", async () => {
    const { send, simulator, database } = await openedShop({ engine, webhookSecret, lookAgainAfter: never });
    await simulator.fault({ orderId: "o-1", on: "confirm", kind: "process", ms: 100 });
    expect(await send("POST", "/orders", lampOrder("o-1"))).toMatchObject({ body: { status: "completed" } });
    expect(await simulator.executed()).toEqual(["opened", "charged"]);
    expect(await database.orders()).toHaveLength(1);
  });

  test("is found out about by the clock when no webhook comes", async () => {
    const { send, simulator } = await openedShop({ engine, lookAgainAfter: "20ms" });
    await simulator.fault({ orderId: "o-1", on: "confirm", kind: "process", ms: 100 });
    expect(await send("POST", "/orders", lampOrder("o-1"))).toMatchObject({ body: { status: "completed" } });
    expect(await simulator.executed()).toEqual(["opened", "charged"]);
  });

  test("may be declined in the end, in plain words", async () => {
    const shop = await openedShop({ engine, webhookSecret, lookAgainAfter: never });
    await shop.simulator.fault({ orderId: "o-1", on: "confirm", kind: "process", ms: 100 });
    const { body } = await shop.send("POST", "/orders", lampOrder("o-1", { paymentMethodId: DECLINED }));
    expect(body).toMatchObject({ status: "failed", reason: "Your card has insufficient funds." });
    // The payment is closed for good as well.
    expect(await shop.simulator.executed()).toEqual(["opened", "declined", "canceled"]);
    expect(await shop.database.stock()).toMatchObject([{ available: 3 }]);
  });

  test("that is canceled meanwhile is given back once it is there", async () => {
    const shop = await openedShop({ engine, lookAgainAfter: never, waitMs: 0 });
    await shop.simulator.fault({ orderId: "o-1", on: "confirm", kind: "process", ms: 300 });
    await shop.send("POST", "/orders", lampOrder("o-1"));
    await expect.poll(() => steps(shop, "o-1")).toContain("charge-payment");
    await shop.send("POST", "/orders/o-1/cancel");
    await expect.poll(() => shop.send("GET", "/orders/o-1")).toMatchObject({ body: { status: "canceled" } });
    expect(await shop.simulator.executed()).toEqual(["opened", "charged", "refunded"]);
  }, 15_000);
});

test("the same event twice is one hint, and any number of hints charges once (F120, F127)", async () => {
  const shop = await openedShop({ webhookSecret, lookAgainAfter: never, waitMs: 0 });
  // Its own webhooks go astray.
  await shop.simulator.sendWebhooks({ url: `${shop.url}/orders/nobody`, secret: webhookSecret });
  await shop.simulator.fault({ orderId: "o-1", on: "confirm", kind: "process", ms: 600_000 });
  await shop.send("POST", "/orders", lampOrder("o-1"));
  const looks = async (): Promise<string[]> =>
    (await steps(shop, "o-1")).filter((key) => key.startsWith("look-at-payment"));
  for (const id of ["evt_1", "evt_1", "evt_2", "evt_1"])
    expect(await sendWebhook(shop, { id, orderId: "o-1" })).toBe(200);
  await expect.poll(looks).toEqual(["look-at-payment", "look-at-payment#2"]);
  expect(await sendWebhook(shop, { id: "evt_3", orderId: "o-1" })).toBe(200);
  await expect.poll(looks).toHaveLength(3);
  expect(await shop.simulator.executed()).toEqual(["opened"]);
});

test.for([
  ["about an order that nobody made", { orderId: "nobody" }, 200],
  ["about an order that has ended", { orderId: "o-1" }, 200],
  ["about no order of ours", {}, 200],
  ["about an order with an id that can't be one", { orderId: "../o-1" }, 200],
  ["about something else", { type: "customer.created", orderId: "o-1" }, 200],
  ["signed by somebody else", { orderId: "o-1", secret: "whsec_other" }, 400],
  ["signed an hour ago", { orderId: "o-1", timestamp: Math.floor(Date.now() / 1000) - 3_600 }, 400],
] as const)("a webhook %s: %o is answered with %i", async ([, sent, status]) => {
  const shop = await openedShop({ webhookSecret });
  await shop.send("POST", "/orders", lampOrder("o-1"));
  expect(await sendWebhook(shop, sent)).toBe(status);
});

test.for([
  ["a null", "null", 200],
  ["an empty event", "{}", 200],
  ["an event of nothing", `{"id":"evt_1","type":"payment_intent.succeeded"}`, 200],
  [
    "an event without an id",
    `{"id":"","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","metadata":{"order_id":"o-1"}}}}`,
    200,
  ],
  [
    "an event without metadata",
    `{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","metadata":null}}}`,
    200,
  ],
  ["no JSON", "payment_intent.succeeded", 400],
  ["more than Stripe sends", `"${"x".repeat(300_000)}"`, 413],
] as const)("signed, but %s: nobody is told", async ([, payload, status]) => {
  const { url } = await openedShop({ webhookSecret });
  expect(await postWebhook(url, payload)).toBe(status);
});

test("a webhook without a signature, or without a body, is refused", async () => {
  const { url } = await openedShop({ webhookSecret });
  const headers = { "content-type": "application/json" };
  const unsigned = await fetch(`${url}/webhooks/stripe`, { method: "POST", headers, body: "{}" });
  const empty = await fetch(`${url}/webhooks/stripe`, {
    method: "POST",
    headers: { "stripe-signature": "t=1,v1=00" },
  });
  expect([unsigned.status, empty.status]).toEqual([400, 400]);
});

test("without a secret there is no such path", async () => {
  const shop = await openedShop();
  expect(await sendWebhook(shop, { orderId: "o-1" })).toBe(404);
});

test("while the store is out, Stripe is told to send it again", async () => {
  const out = { signal: () => Promise.reject(new StoreUnavailableError("out")) };
  const client = { get: () => out } as unknown as Client;
  const order = orderWorkflow(toyShop(new ToyWorld()));
  const orders = { receipt: async () => undefined };
  const webhooks = stripeWebhooks({ client, secret: webhookSecret });
  const server = express().use(createApi({ client, order, orders, webhooks })).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await expect.poll(() => server.address()).not.toBeNull();
  const { port } = server.address() as { readonly port: number };
  expect(await sendWebhook({ url: `http://127.0.0.1:${port}` }, { orderId: "o-1" })).toBe(503);
});
