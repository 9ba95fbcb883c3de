import { FatalError, type StepContext } from "@everstep/core";
import { Stripe } from "stripe";

export interface Purchase {
  readonly orderId: string;
  readonly cents: number;
  readonly paymentMethodId: string;
}

type Step = Pick<StepContext, "idempotencyKey" | "attempt">;
type Outcome = "succeeded" | "processing";

export class Payments {
  readonly #stripe: Stripe;

  constructor(stripe: Stripe) {
    this.#stripe = stripe;
  }

  /** Moves no money yet. Opened twice by bad luck, one of the two is never charged. */
  async open({ orderId, cents, paymentMethodId }: Purchase, step: Step): Promise<string> {
    const params: Stripe.PaymentIntentCreateParams = {
      amount: cents,
      currency: "usd",
      payment_method: paymentMethodId,
      allowed_payment_method_types: ["card"],
      metadata: { order_id: orderId },
    };
    const intent = await send(step, (idempotencyKey) =>
      this.#stripe.paymentIntents.create(params, { idempotencyKey }),
    );
    return intent.id;
  }

  /** Looks first: an attempt before this one may have charged. */
  async charge(intentId: string, step: Step): Promise<Outcome> {
    const known = await this.#retrieve(intentId, step);
    if (known.status !== "requires_confirmation") return outcomeOf(known);
    const confirmed = await send(step, (idempotencyKey) =>
      this.#stripe.paymentIntents.confirm(intentId, { off_session: true }, { idempotencyKey }),
    );
    return outcomeOf(confirmed);
  }

  async look(intentId: string, step: Step): Promise<Outcome> {
    return outcomeOf(await this.#retrieve(intentId, step));
  }

  /** Refunds a charge, or makes sure that there never will be one. */
  async giveBack(intentId: string, step: Step): Promise<void> {
    const { status } = await this.#retrieve(intentId, step);
    if (status === "canceled") return;
    if (status === "succeeded") await this.#refund(intentId, step);
    else
      await send(step, (key) =>
        this.#stripe.paymentIntents.cancel(intentId, {}, { idempotencyKey: `${key}/cancel` }),
      );
  }

  #retrieve(intentId: string, step: Step): Promise<Stripe.PaymentIntent> {
    const params = { expand: ["latest_charge"] };
    return send(step, () => this.#stripe.paymentIntents.retrieve(intentId, params));
  }

  async #refund(intentId: string, step: Step): Promise<void> {
    try {
      await send(step, (idempotencyKey) =>
        this.#stripe.refunds.create({ payment_intent: intentId }, { idempotencyKey }),
      );
    } catch (error) {
      if (!(error instanceof FatalError && error.code === "charge_already_refunded")) throw error;
    }
  }
}

function outcomeOf(intent: Stripe.PaymentIntent): Outcome {
  const { id, status, last_payment_error: error, latest_charge: charge } = intent;
  // A refund leaves the intent as it is: a purchase that a person retries must not be shipped for nothing.
  if (typeof charge === "object" && charge?.refunded === true)
    throw new FatalError("The payment was refunded.", { code: "payment_refunded" });
  if (status === "succeeded") return "succeeded";
  if (status === "processing") return "processing";
  if (status === "requires_payment_method")
    throw new FatalError(error?.message ?? "Your card was declined.", { code: error?.code ?? "declined" });
  throw new FatalError(`payment ${id} is ${status}`, { code: `payment_${status}` });
}

async function send<T>(step: Step, request: (idempotencyKey: string) => Promise<T>): Promise<T> {
  try {
    return await request(step.idempotencyKey);
  } catch (error) {
    if (!isReplayedFailure(error)) throw finalOrNot(error);
  }
  // Stripe keeps a 500 under its key and answers it for a day. Safe under another key: an intent is charged once.
  try {
    return await request(`${step.idempotencyKey}/${step.attempt}`);
  } catch (error) {
    throw finalOrNot(error);
  }
}

function isReplayedFailure(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeAPIError)) return false;
  return (error.statusCode ?? 0) >= 500 && error.headers?.["idempotent-replayed"] === "true";
}

/** No connection, 429, 5xx and "key in use" are retried: they are thrown as they are. */
function finalOrNot(error: unknown): unknown {
  const { StripeCardError, StripeIdempotencyError, StripeInvalidRequestError } = Stripe.errors;
  if (error instanceof StripeCardError)
    return new FatalError(error.message, { code: error.code ?? "declined", happened: false });
  // Somebody changed the payment since we looked, such as our own request of an attempt before: look again.
  if (!(error instanceof Stripe.errors.StripeError) || error.code === "payment_intent_unexpected_state")
    return error;
  const isBug = error instanceof StripeInvalidRequestError || error instanceof StripeIdempotencyError;
  return isBug ? new FatalError(error.message, { code: error.code ?? "refused" }) : error;
}

import { type Context, SignalTimeoutError, type Workflow, workflow } from "@everstep/core";

export interface Outside {
  readonly payments: Pick<Payments, "open" | "charge" | "look" | "giveBack">;
  readonly warehouse: { ship(orderId: string): Promise<void> };
}

export const purchaseWith = ({ payments, warehouse }: Outside): Workflow<Purchase, string> =>
  workflow({ name: "purchase" }, async (ctx, purchase: Purchase) => {
    const intentId = await ctx.step("open-payment", (step) => payments.open(purchase, step));

    let outcome = await ctx.step("charge-payment", (step) => payments.charge(intentId, step), {
      timeout: "30s",
      compensate: (_, step) => payments.giveBack(intentId, step),
    });
    while (outcome === "processing") {
      await nextHint(ctx);
      outcome = await ctx.step("look-at-payment", (step) => payments.look(intentId, step));
    }

    await ctx.step("ship", () => warehouse.ship(purchase.orderId));
    return intentId;
  });

/** A webhook, or an hour: what it says is not believed but looked up, so a lost one costs an hour and a doubled one nothing. */
async function nextHint(ctx: Context): Promise<void> {
  try {
    await ctx.waitForSignal("payment", { timeout: "1h" });
  } catch (error) {
    if (!(error instanceof SignalTimeoutError)) throw error;
  }
}

import { type Client, RunEndedError, RunNotFoundError } from "@everstep/core";
import express, { type Express } from "express";

export function withStripeWebhooks(app: Express, client: Client, stripe: Stripe, secret: string): Express {
  // Before any express.json(): what is signed are the bytes.
  app.post("/webhooks/stripe", express.raw({ type: "*/*" }), async (request, response) => {
    let event: Stripe.Event;
    try {
      const signature = request.header("stripe-signature") ?? "";
      event = await stripe.webhooks.constructEventAsync(request.body as Buffer, signature, secret);
    } catch {
      response.sendStatus(400);
      return;
    }
    await passOn(client, event);
    response.sendStatus(200);
  });
  return app;
}

async function passOn(client: Client, event: Stripe.Event): Promise<void> {
  if (!event.type.startsWith("payment_intent.")) return;
  const { metadata } = event.data.object as Stripe.PaymentIntent;
  const orderId = metadata["order_id"];
  if (orderId === undefined) return;
  try {
    await client.get(orderId).signal("payment", { type: event.type }, { id: event.id });
  } catch (error) {
    if (!(error instanceof RunEndedError || error instanceof RunNotFoundError)) throw error;
  }
}
