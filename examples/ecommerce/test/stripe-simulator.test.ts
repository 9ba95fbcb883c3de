import { Stripe } from "stripe";
import { describe, expect, test } from "vitest";
import { clientOf, simulatedStripe } from "./simulated-stripe.ts";

const params = {
  amount: 4200,
  currency: "usd",
  payment_method: "pm_card_visa",
  allowed_payment_method_types: ["card"],
  metadata: { order_id: "o-1" },
};
const confirmed = { ...params, confirm: true, off_session: true };

describe("idempotency keys", () => {
  test("the same request under the same key is executed once and replayed", async () => {
    const { stripe, executed } = await simulatedStripe();
    const first = await stripe.paymentIntents.create(confirmed, { idempotencyKey: "k" });
    const again = await stripe.paymentIntents.create(confirmed, { idempotencyKey: "k" });
    expect(again.id).toBe(first.id);
    expect(first.lastResponse.headers["idempotent-replayed"]).toBeUndefined();
    expect(again.lastResponse.headers["idempotent-replayed"]).toBe("true");
    expect(await executed()).toEqual(["opened", "charged"]);
  });

  test("another request under the same key is an error", async () => {
    const { stripe, executed } = await simulatedStripe();
    await stripe.paymentIntents.create(params, { idempotencyKey: "k" });
    const other = stripe.paymentIntents.create({ ...params, amount: 1 }, { idempotencyKey: "k" });
    await expect(other).rejects.toThrow(Stripe.errors.StripeIdempotencyError);
    await expect(other).rejects.toMatchObject({ statusCode: 400 });
    expect(await executed()).toEqual(["opened"]);
  });

  test("a key that is in use answers 409, and keeps the first answer", async () => {
    const { stripe, fault, executed } = await simulatedStripe();
    await fault({ orderId: "o-1", on: "create", kind: "slow", ms: 200 });
    const create = (): Promise<Stripe.PaymentIntent> =>
      stripe.paymentIntents.create(params, { idempotencyKey: "k" });
    const [slow, eager] = await Promise.allSettled([create(), create()]);
    expect(slow.status).toBe("fulfilled");
    expect(eager).toMatchObject({ reason: { statusCode: 409, code: "idempotency_key_in_use" } });
    await expect(create()).resolves.toMatchObject({ amount: 4200 });
    expect(await executed()).toEqual(["opened"]);
  });

  test("a stored 500 is replayed for as long as the key lives, whatever it hides", async () => {
    const { stripe, fault, executed, forgetKeys } = await simulatedStripe();
    await fault({ orderId: "o-1", on: "create", kind: "fail" });
    const create = (): Promise<Stripe.PaymentIntent> =>
      stripe.paymentIntents.create(params, { idempotencyKey: "k" });
    await expect(create()).rejects.toMatchObject({ statusCode: 500 });
    await expect(create()).rejects.toMatchObject({
      statusCode: 500,
      headers: { "idempotent-replayed": "true" },
    });
    expect(await executed()).toEqual([]);
    await forgetKeys();
    await expect(create()).resolves.toMatchObject({ amount: 4200 });
  });

  test("what was refused before it began is not stored", async () => {
    const { stripe, fault } = await simulatedStripe();
    await expect(
      stripe.paymentIntents.create({ ...params, amount: -1 }, { idempotencyKey: "k" }),
    ).rejects.toThrow(Stripe.errors.StripeInvalidRequestError);
    await fault({ orderId: "o-1", on: "create", kind: "rate-limit" });
    const create = (): Promise<Stripe.PaymentIntent> =>
      stripe.paymentIntents.create(params, { idempotencyKey: "k" });
    await expect(create()).rejects.toThrow(Stripe.errors.StripeRateLimitError);
    await expect(create()).resolves.toMatchObject({ amount: 4200 });
  });
});

describe("payments", () => {
  test.for([
    ["pm_card_visa_chargeDeclined", "card_declined", "generic_decline"],
    ["pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"],
    ["pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"],
    ["pm_card_authenticationRequired", "authentication_required", "authentication_required"],
  ] as const)(
    "%s is declined, with the payment attached, and the decline is replayed",
    async ([method, code, declineCode]) => {
      const { stripe, executed } = await simulatedStripe();
      const decline = {
        statusCode: 402,
        code,
        decline_code: declineCode,
        payment_intent: { status: "requires_payment_method" },
      };
      const create = (): Promise<Stripe.PaymentIntent> =>
        stripe.paymentIntents.create({ ...confirmed, payment_method: method }, { idempotencyKey: "k" });
      await expect(create()).rejects.toThrow(Stripe.errors.StripeCardError);
      await expect(create()).rejects.toMatchObject(decline);
      expect(await executed()).toEqual(["opened", "declined"]);
    },
  );

  test("an intent is charged once, whatever the keys", async () => {
    const { stripe, executed } = await simulatedStripe();
    const { id } = await stripe.paymentIntents.create(params);
    await stripe.paymentIntents.confirm(id);
    await expect(stripe.paymentIntents.confirm(id)).rejects.toMatchObject({
      code: "payment_intent_unexpected_state",
    });
    await expect(stripe.paymentIntents.cancel(id)).rejects.toMatchObject({
      code: "payment_intent_unexpected_state",
    });
    expect(await executed()).toEqual(["opened", "charged"]);
  });

  test("an intent that is being confirmed is locked, and a canceled one refuses to be confirmed", async () => {
    const { stripe, fault, executed } = await simulatedStripe();
    const { id } = await stripe.paymentIntents.create(params);
    await fault({ orderId: "o-1", on: "confirm", kind: "slow", ms: 200 });
    const [confirmation, cancel] = await Promise.allSettled([
      stripe.paymentIntents.confirm(id),
      stripe.paymentIntents.cancel(id),
    ]);
    expect(confirmation).toMatchObject({ value: { status: "succeeded" } });
    expect(cancel).toMatchObject({ reason: { statusCode: 429, code: "lock_timeout" } });
    const other = await stripe.paymentIntents.create(params);
    await stripe.paymentIntents.cancel(other.id);
    await expect(stripe.paymentIntents.confirm(other.id)).rejects.toMatchObject({ statusCode: 400 });
    expect(await executed()).toEqual(["opened", "charged", "opened", "canceled"]);
  });

  test("refunds add up to the charge and no further", async () => {
    const { stripe, ledger } = await simulatedStripe();
    const { id: intent } = await stripe.paymentIntents.create(confirmed);
    const part = await stripe.refunds.create({ payment_intent: intent, amount: 1200 });
    expect(part.amount).toBe(1200);
    await expect(stripe.refunds.create({ payment_intent: intent, amount: 3001 })).rejects.toMatchObject({
      param: "amount",
    });
    const rest = await stripe.refunds.create({ payment_intent: intent }, { idempotencyKey: "r" });
    expect(rest.amount).toBe(3000);
    await expect(stripe.refunds.create({ payment_intent: intent }, { idempotencyKey: "r" })).resolves.toEqual(
      rest,
    );
    await expect(stripe.refunds.create({ payment_intent: intent })).rejects.toMatchObject({
      code: "charge_already_refunded",
    });
    const refunds = (await ledger()).filter(({ kind }) => kind === "refunded");
    expect(refunds.map(({ amount }) => amount)).toEqual([1200, 3000]);
  });

  test("what was never charged can't be refunded", async () => {
    const { stripe } = await simulatedStripe();
    const { id } = await stripe.paymentIntents.create(params);
    await expect(stripe.refunds.create({ payment_intent: id })).rejects.toMatchObject({ statusCode: 400 });
    await expect(stripe.refunds.create({ payment_intent: "pi_nope" })).rejects.toMatchObject({
      statusCode: 404,
    });
  });
});

describe("the connection", () => {
  test("a dropped reply was executed, and the SDK's own second request gets its replay", async () => {
    const { stripe, fault, executed } = await simulatedStripe();
    await fault({ orderId: "o-1", on: "create", kind: "drop-reply" });
    await expect(stripe.paymentIntents.create(confirmed, { idempotencyKey: "k" })).resolves.toMatchObject({
      status: "succeeded",
    });
    await fault({ orderId: "o-1", on: "create", kind: "drop-reply", times: 2 });
    await expect(stripe.paymentIntents.create(confirmed, { idempotencyKey: "k2" })).rejects.toThrow(
      Stripe.errors.StripeConnectionError,
    );
    expect(await executed()).toEqual(["opened", "charged", "opened", "charged"]);
  });

  test("a held reply was executed, and the watcher is told", async () => {
    const { stripe, fault, held, executed } = await simulatedStripe();
    await fault({ orderId: "o-1", on: "create", kind: "hold-reply" });
    const create = stripe.paymentIntents.create(confirmed, { idempotencyKey: "k", timeout: 500 });
    await expect(held).resolves.toBe("o-1");
    expect(await executed()).toEqual(["opened", "charged"]);
    await expect(create).rejects.toThrow(Stripe.errors.StripeConnectionError);
  });

  test("a refused connection executes nothing", async () => {
    const { stripe, fault, executed } = await simulatedStripe();
    await fault({ orderId: "o-1", on: "create", kind: "refuse-connection", times: 2 });
    await expect(stripe.paymentIntents.create(confirmed)).rejects.toThrow(
      Stripe.errors.StripeConnectionError,
    );
    expect(await executed()).toEqual([]);
  });

  test("another key than a test key is refused", async () => {
    const { port } = await simulatedStripe();
    await expect(clientOf(port, "sk_live_nope").paymentIntents.create(params)).rejects.toMatchObject({
      statusCode: 401,
    });
  });

  test("what the simulator does not know is a 404", async () => {
    const { stripe } = await simulatedStripe();
    await expect(stripe.paymentIntents.retrieve("pi_nope")).rejects.toMatchObject({
      statusCode: 404,
      code: "resource_missing",
    });
    await expect(stripe.customers.create({})).rejects.toMatchObject({ statusCode: 404 });
  });
});
