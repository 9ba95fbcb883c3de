/** The webhooks of the Stripe stand-in, and how slow it can be. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { Stripe } from "stripe";
import { expect, onTestFinished, test } from "vitest";
import { simulatedStripe } from "./simulated-stripe.ts";

const secret = "whsec_test";
const params = {
  amount: 4200,
  currency: "usd",
  payment_method: "pm_card_visa",
  allowed_payment_method_types: ["card"],
  metadata: { order_id: "o-1" },
};

/** Takes webhooks, and verifies them as Stripe's customers do. `refusals`: so many of the first are answered with 500. */
async function openedInbox({ refusals = 0 } = {}): Promise<{
  readonly url: string;
  readonly events: readonly Stripe.Event[];
  readonly attempts: () => number;
}> {
  const events: Stripe.Event[] = [];
  let attempts = 0;
  const app = express().use(express.raw({ type: "application/json" }));
  app.post("/", (request, response) => {
    attempts += 1;
    if (attempts <= refusals) return void response.sendStatus(500);
    const signature = request.get("stripe-signature") ?? "";
    events.push(Stripe.webhooks.constructEvent(request.body as Buffer, signature, secret));
    return void response.sendStatus(200);
  });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, events, attempts: () => attempts };
}

function types(events: readonly Stripe.Event[]): string[] {
  return events.map(({ type }) => type).toSorted();
}

test("each change of an intent is told twice, signed, under one id", async () => {
  const { stripe, sendWebhooks } = await simulatedStripe();
  const inbox = await openedInbox();
  await sendWebhooks({ url: inbox.url, secret });
  const { id } = await stripe.paymentIntents.create({ ...params, confirm: true });
  const told = ["payment_intent.created", "payment_intent.succeeded"].flatMap((type) => [type, type]);
  await expect.poll(() => types(inbox.events)).toEqual(told);
  expect(new Set(inbox.events.map((event) => event.id)).size).toBe(2);
  const succeeded = inbox.events.find(({ type }) => type === "payment_intent.succeeded");
  expect(succeeded?.data.object).toMatchObject({ id, status: "succeeded", metadata: { order_id: "o-1" } });
});

test("what is not answered with 2xx is sent again", async () => {
  const { stripe, sendWebhooks } = await simulatedStripe();
  const inbox = await openedInbox({ refusals: 3 });
  await sendWebhooks({ url: inbox.url, secret });
  await stripe.paymentIntents.create(params);
  await expect.poll(() => inbox.events.length).toBe(2);
  expect(inbox.attempts()).toBe(5);
});

test.for([
  ["pm_card_visa", "succeeded", ["created", "processing", "succeeded"]],
  ["pm_card_visa_chargeDeclined", "requires_payment_method", ["created", "payment_failed", "processing"]],
] as const)("a payment with %s that is under way ends as %s", async ([method, status, told]) => {
  const { stripe, fault, sendWebhooks } = await simulatedStripe();
  const inbox = await openedInbox();
  await sendWebhooks({ url: inbox.url, secret });
  const { id } = await stripe.paymentIntents.create({ ...params, payment_method: method });
  await fault({ orderId: "o-1", on: "confirm", kind: "process", ms: 50 });
  expect(await stripe.paymentIntents.confirm(id)).toMatchObject({ status: "processing" });
  await expect.poll(async () => (await stripe.paymentIntents.retrieve(id)).status).toBe(status);
  const names = told.map((name) => `payment_intent.${name}`);
  await expect.poll(() => [...new Set(types(inbox.events))]).toEqual(names);
});

test("a payment that is under way can't be confirmed again, nor canceled", async () => {
  const { stripe, fault, executed } = await simulatedStripe();
  const { id } = await stripe.paymentIntents.create(params);
  await fault({ orderId: "o-1", on: "confirm", kind: "process", ms: 600_000 });
  await stripe.paymentIntents.confirm(id);
  const refusal = { code: "payment_intent_unexpected_state" };
  await expect(stripe.paymentIntents.confirm(id)).rejects.toMatchObject(refusal);
  await expect(stripe.paymentIntents.cancel(id)).rejects.toMatchObject(refusal);
  expect(await executed()).toEqual(["opened"]);
});

test("a refund of pm_card_refundFail is accepted, told to have failed later, and counts no more", async () => {
  const { stripe, sendWebhooks, executed } = await simulatedStripe();
  const inbox = await openedInbox();
  await sendWebhooks({ url: inbox.url, secret });
  const method = { payment_method: "pm_card_refundFail", confirm: true };
  const { id: payment_intent } = await stripe.paymentIntents.create({ ...params, ...method });
  const refund = await stripe.refunds.create({ payment_intent, metadata: { order_id: "o-1" } });
  expect(refund.status).toBe("succeeded");
  const failures = () => inbox.events.filter(({ type }) => type === "refund.failed");
  await expect.poll(() => failures().length).toBe(2);
  const failed = {
    status: "failed",
    failure_reason: "expired_or_canceled_card",
    metadata: { order_id: "o-1" },
  };
  expect(failures()[0]?.data.object).toMatchObject({
    id: refund.id,
    payment_intent,
    amount: 4200,
    ...failed,
  });
  await expect(stripe.refunds.create({ payment_intent })).resolves.toMatchObject({ amount: 4200 });
  expect(await executed()).toEqual(["opened", "charged", "refunded", "refund-failed", "refunded"]);
});

test("a slow Stripe answers late, whatever it is asked, and executes all the same", async () => {
  const { stripe, slowDown, executed } = await simulatedStripe();
  await slowDown(100);
  await expect(stripe.paymentIntents.create(params, { timeout: 20 })).rejects.toThrow(
    Stripe.errors.StripeConnectionError,
  );
  await expect.poll(executed).toEqual(["opened"]);
  await slowDown(0);
  await expect(stripe.paymentIntents.create(params)).resolves.toMatchObject({ amount: 4200 });
});
