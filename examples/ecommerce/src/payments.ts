import { randomUUID } from "node:crypto";
import { FatalError } from "@everstep/core";
import { Stripe } from "stripe";
import { type BodyStep, orAborted } from "./body-step.ts";
import { type OrderRequest, totalCents } from "./order-request.ts";

/**
 * The shop's payments, in two steps, so that a charge whose reply was lost can always be looked up:
 *
 * `open` makes a PaymentIntent, which moves no money, and its id is journaled. `charge` then confirms that one intent, and an
 * intent is charged once at most. The idempotency key alone would not do: Stripe may forget it after 24 hours, and an order can
 * wait longer than that; and a 500 that Stripe stored under a key is replayed for as long as the key lives.
 *
 * Errors that a later attempt may not meet (no connection, 429, 5xx, "key in use") are thrown as they are, and so retried.
 */
export class Payments {
  readonly #stripe: Stripe;

  constructor(stripe: Stripe) {
    this.#stripe = stripe;
  }

  /** Opens a payment of the order's total and answers its id. Opened twice by bad luck, one of the two is never charged. */
  async open(request: OrderRequest, step: BodyStep): Promise<string> {
    const params: Stripe.PaymentIntentCreateParams = {
      amount: totalCents(request.items),
      currency: "usd",
      payment_method: request.paymentMethodId,
      allowed_payment_method_types: ["card"],
      metadata: { order_id: request.orderId },
    };
    const create = (idempotencyKey: string): Promise<Stripe.PaymentIntent> =>
      this.#stripe.paymentIntents.create(params, { idempotencyKey });
    const intent = await send(step, step.idempotencyKey, create);
    return intent.id;
  }

  /** Charges an open payment, unless an attempt before did, and answers the charge's id; null while Stripe is still at it. */
  async charge(intentId: string, step: BodyStep): Promise<string | null> {
    const known = await this.#look(intentId, step);
    return chargeOf(known.status === "requires_confirmation" ? await this.#confirm(intentId, step) : known);
  }

  /** Undoes a charge, also one of which nobody knows whether it happened: refunds it, or makes sure that it never will. */
  async giveBack(intentId: string, step: BodyStep): Promise<void> {
    const intent = await this.#look(intentId, step);
    if (intent.status === "canceled") return;
    if (intent.status === "succeeded") await this.#refund(intent, step);
    // A confirmation may still be on its way: a canceled intent refuses it.
    else await this.#cancel(intentId, step);
  }

  #look(intentId: string, step: BodyStep): Promise<Stripe.PaymentIntent> {
    const params = { expand: ["latest_charge"] };
    return send(step, step.idempotencyKey, () => this.#stripe.paymentIntents.retrieve(intentId, params));
  }

  #confirm(intentId: string, step: BodyStep): Promise<Stripe.PaymentIntent> {
    return send(step, step.idempotencyKey, (idempotencyKey) =>
      this.#stripe.paymentIntents.confirm(intentId, { off_session: true }, { idempotencyKey }),
    );
  }

  /** Done when Stripe has accepted it. Should it fail all the same, at once or days later, a webhook says so, and of which order. */
  async #refund({ id, metadata }: Stripe.PaymentIntent, step: BodyStep): Promise<void> {
    const refund = (idempotencyKey: string): Promise<Stripe.Refund> =>
      this.#stripe.refunds.create({ payment_intent: id, metadata }, { idempotencyKey });
    try {
      await send(step, step.idempotencyKey, refund);
    } catch (error) {
      if (!(error instanceof FatalError && error.code === "charge_already_refunded")) throw error;
    }
  }

  /** Not under the refund's key: a confirmation may win the race, and then the next attempt refunds. */
  #cancel(intentId: string, step: BodyStep): Promise<Stripe.PaymentIntent> {
    return send(step, `${step.idempotencyKey}/cancel`, (idempotencyKey) =>
      this.#stripe.paymentIntents.cancel(intentId, {}, { idempotencyKey }),
    );
  }
}

/** The charge of a payment that went through, null of one that is under way; throws what the order should know of any other. */
function chargeOf({
  id,
  status,
  latest_charge: charge,
  last_payment_error: error,
}: Stripe.PaymentIntent): string | null {
  switch (status) {
    case "succeeded":
      if (charge === null) throw new Error(`payment ${id} succeeded, but its charge is not known yet`);
      if (typeof charge === "string") return charge;
      if (charge.refunded) throw new FatalError("The payment was refunded.", { code: "payment_refunded" });
      return charge.id;
    case "processing":
      return null;
    case "requires_payment_method":
      throw declined(error ?? {});
    default:
      throw new FatalError(`The payment can't be completed: it is ${status}.`, { code: `payment_${status}` });
  }
}

/**
 * One request to Stripe. A failure that is replayed says what the first request under this key came to, and nothing of today: the
 * trouble may be over, or the account filled up meanwhile. So the wish is sent once more, under a key that nobody has used. That
 * can't do it twice: an intent is charged once, and refunded no more than it was.
 */
async function send<T>(
  step: BodyStep,
  key: string,
  request: (idempotencyKey: string) => Promise<T>,
): Promise<T> {
  try {
    return await orAborted(step.signal, () => request(key));
  } catch (error) {
    if (!isReplayedFailure(error)) throw translated(error);
  }
  return orAborted(step.signal, () => request(randomUUID())).catch((error: unknown) => {
    throw translated(error);
  });
}

/** A decline is none: it was the bank's answer to this payment, and stays so. */
function isReplayedFailure(error: unknown): boolean {
  const { StripeAPIError, StripeInvalidRequestError } = Stripe.errors;
  if (!(error instanceof StripeAPIError || error instanceof StripeInvalidRequestError)) return false;
  return error.headers?.["idempotent-replayed"] === "true";
}

/** What is final becomes a `FatalError`; the rest is thrown as it is, and retried. */
function translated(error: unknown): unknown {
  const { StripeCardError, StripeIdempotencyError, StripeInvalidRequestError } = Stripe.errors;
  if (error instanceof StripeCardError) return declined(error);
  if (!(error instanceof StripeInvalidRequestError || error instanceof StripeIdempotencyError)) return error;
  // Somebody else changed the payment since we looked, such as our own request of an attempt before: look again.
  if (error.code === "payment_intent_unexpected_state") return error;
  // Stripe's words are for whoever looks after the shop: the customer can mend nothing but the payment method.
  const isOfMethod = error.param === "payment_method";
  const told = isOfMethod ? "The payment method can't be used." : "The payment could not be made.";
  return new FatalError(`Stripe refused the request: ${error.message}`, {
    code: error.code ?? "payment_refused",
    details: { told },
  });
}

interface Decline {
  readonly message?: string;
  readonly code?: string | undefined;
  readonly decline_code?: string | undefined;
}

/** Stripe's messages about cards are written for the customer. */
function declined({ message, code, decline_code: declineCode }: Decline): FatalError {
  return new FatalError(message ?? "Your card was declined.", {
    code: code ?? "card_declined",
    details: { declineCode: declineCode ?? null },
    happened: false,
  });
}

export interface StripeAccess {
  /** A test key; without one, the simulator at `simulatorPort` is used. */
  readonly secretKey?: string | undefined;
  readonly simulatorPort?: number | undefined;
  /** How long an answer may take; default 80 s, as Stripe recommends: a charge can take half a minute. */
  readonly timeoutMs?: number | undefined;
}

/** Retries are left to everstep, where they are seen and survive a crash. */
export function connectStripe({ secretKey, simulatorPort, timeoutMs = 80_000 }: StripeAccess): Stripe {
  const options = { timeout: timeoutMs, maxNetworkRetries: 0 } as const;
  if (secretKey === undefined) {
    const local = { host: "127.0.0.1", port: simulatorPort ?? 12111, protocol: "http" } as const;
    return new Stripe("sk_test_local", { ...options, ...local, telemetry: false });
  }
  if (!/^[sr]k_test_/.test(secretKey))
    throw new Error("STRIPE_SECRET_KEY is not a test key: this example charges no real cards");
  return new Stripe(secretKey, options);
}
