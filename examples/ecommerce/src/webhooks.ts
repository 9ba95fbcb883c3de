import { type Client, RunConflictError, RunEndedError, RunNotFoundError } from "@everstep/core";
import express, { type RequestHandler } from "express";
import { Stripe } from "stripe";
import { z } from "zod";
import { Id } from "./order-request.ts";
import { refundFailed } from "./refund-failed.ts";

export interface WebhookOptions {
  readonly client: Client;
  /** Of the endpoint, `whsec_…`: with it Stripe signs what it sends. */
  readonly secret: string;
}

/** What the shop reads of an event about a payment of its own. */
const PaymentEvent = z.object({
  id: z.string().min(1).max(255),
  type: z.string().startsWith("payment_intent."),
  data: z.object({ object: z.object({ id: z.string(), metadata: z.object({ order_id: Id }) }) }),
});

/** The same of a refund, which has the metadata of its payment. */
const RefundEvent = z.object({
  type: z.literal("refund.failed"),
  data: z.object({
    object: z.object({
      id: z.string().min(1).max(100),
      payment_intent: z.string(),
      amount: z.int(),
      failure_reason: z.string().default("unknown"),
      metadata: z.object({ order_id: Id }),
    }),
  }),
});

/** What a run is told: no more than that it should look. What a payment has come to is asked of Stripe itself. */
interface PaymentHint {
  readonly intentId: string;
  readonly type: string;
}

/**
 * Stripe's webhooks. Those about payments become signals to the orders that they are about. They may be late, repeated, out of order or
 * lost: an order that waits for its payment looks at it when one comes, and also when none does. One that says that a refund has failed
 * starts a run that needs a person, a single one however often it comes.
 *
 * 200 says that Stripe need not send it again: signal or run are durable, or nobody waits for it. 400: it is not signed by Stripe, or was
 * signed more than five minutes ago. An error of the store is left to the API, whose 503 makes Stripe send it again.
 */
export function stripeWebhooks({ client, secret }: WebhookOptions): RequestHandler[] {
  return [
    express.raw({ type: "application/json", limit: "256kb" }),
    async (request, response) => {
      const event = verified(request.body, request.get("stripe-signature"), secret);
      if (event === undefined) return void response.status(400).json({ error: "bad_signature" });
      const payment = PaymentEvent.safeParse(event);
      if (payment.success) await tell(client, payment.data);
      const refund = RefundEvent.safeParse(event);
      if (refund.success) await report(client, refund.data);
      return void response.json({ received: true });
    },
  ];
}

/** Undefined: it is not signed by Stripe. */
function verified(body: unknown, signature: string | undefined, secret: string): unknown {
  if (!Buffer.isBuffer(body) || signature === undefined) return undefined;
  try {
    return Stripe.webhooks.constructEvent(body, signature, secret);
  } catch {
    return undefined;
  }
}

/** The same event twice is one signal. */
async function tell(client: Client, { id, type, data }: z.infer<typeof PaymentEvent>): Promise<void> {
  const { id: intentId, metadata } = data.object;
  const hint: PaymentHint = { intentId, type };
  try {
    await client.get(metadata.order_id).signal("payment", hint, { id });
  } catch (error) {
    if (!(error instanceof RunNotFoundError || error instanceof RunEndedError)) throw error;
  }
}

/** A refund fails once, so whatever is said of it again is known. */
async function report(client: Client, { data }: z.infer<typeof RefundEvent>): Promise<void> {
  const { id: refundId, payment_intent: paymentId, amount, failure_reason: reason, metadata } = data.object;
  const orderId = metadata.order_id;
  const failed = { orderId, refundId, paymentId, cents: amount, reason };
  try {
    await client.start(refundFailed, failed, { id: `${orderId}:${refundId}`, tags: { order: orderId } });
  } catch (error) {
    if (!(error instanceof RunConflictError)) throw error;
  }
}
