import { FatalError } from "@everstep/core";
import { Stripe } from "stripe";
import { describe, expect, test } from "vitest";
import type { OrderRequest } from "../src/order-request.ts";
import type { BodyStep } from "../src/body-step.ts";
import { connectStripe, Payments } from "../src/payments.ts";
import { simulatedStripe } from "./simulated-stripe.ts";

const order: OrderRequest = {
  orderId: "o-1",
  userId: "u-1",
  items: [{ productId: "lamp", quantity: 2, price: 2100 }],
  paymentMethodId: "pm_card_visa",
};

function stepOf(idempotencyKey: string, attempt = 1): BodyStep {
  return { idempotencyKey, attempt, signal: new AbortController().signal };
}

const opening = stepOf("o-1/open-payment");
const charging = stepOf("o-1/charge-payment");
const undoing = stepOf("o-1/undo");

/** An open payment of the order, on a simulator of its own. */
async function opened(
  request: OrderRequest = order,
): Promise<{ payments: Payments; intentId: string } & Awaited<ReturnType<typeof simulatedStripe>>> {
  const simulator = await simulatedStripe();
  const payments = new Payments(simulator.stripe);
  return { ...simulator, payments, intentId: await payments.open(request, opening) };
}

describe("charging (F127)", () => {
  test("charges the order's total, and names the order", async () => {
    const { payments, intentId, ledger } = await opened();
    const chargeId = await payments.charge(intentId, charging);
    expect(await ledger()).toMatchObject([
      { kind: "opened" },
      { kind: "charged", orderId: "o-1", intentId, chargeId, amount: 4200 },
    ]);
  });

  test("a charge whose reply was lost is found, not made again, also when Stripe has forgotten the key", async () => {
    const { payments, intentId, fault, executed, forgetKeys } = await opened();
    await fault({ orderId: "o-1", on: "confirm", kind: "drop-reply", times: 2 });
    await expect(payments.charge(intentId, charging)).rejects.toThrow(Stripe.errors.StripeConnectionError);
    await forgetKeys();
    await expect(payments.charge(intentId, stepOf("o-1/charge-payment", 2))).resolves.toMatch(/^ch_/);
    expect(await executed()).toEqual(["opened", "charged"]);
  });

  test("a stored 500 that hid a charge is looked through", async () => {
    const { payments, intentId, fault, executed } = await opened();
    await fault({ orderId: "o-1", on: "confirm", kind: "fail-after" });
    await expect(payments.charge(intentId, charging)).rejects.toMatchObject({ statusCode: 500 });
    await expect(payments.charge(intentId, charging)).resolves.toMatch(/^ch_/);
    expect(await executed()).toEqual(["opened", "charged"]);
  });

  test("a stored 500 that hid nothing does not stop the order for ever", async () => {
    const { payments, intentId, fault, executed } = await opened();
    // The first request, its replay, and what the second attempt sends instead.
    await fault({ orderId: "o-1", on: "confirm", kind: "fail", times: 3 });
    await expect(payments.charge(intentId, charging)).rejects.toMatchObject({ statusCode: 500 });
    const second = payments.charge(intentId, stepOf("o-1/charge-payment", 2));
    await expect(second).rejects.toMatchObject({ statusCode: 500 });
    await expect(payments.charge(intentId, stepOf("o-1/charge-payment", 3))).resolves.toMatch(/^ch_/);
    expect(await executed()).toEqual(["opened", "charged"]);
  });

  test("two attempts at once charge once", async () => {
    const { payments, intentId, fault, executed } = await opened();
    await fault({ orderId: "o-1", on: "confirm", kind: "slow", ms: 200 });
    const outcomes = await Promise.allSettled([
      payments.charge(intentId, charging),
      payments.charge(intentId, charging),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { statusCode: 409 },
    });
    expect(await executed()).toEqual(["opened", "charged"]);
  });

  test("a charge that was given back meanwhile pays for nothing", async () => {
    const { payments, intentId, stripe } = await opened();
    await payments.charge(intentId, charging);
    await stripe.refunds.create({ payment_intent: intentId });
    const again = payments.charge(intentId, stepOf("o-1/charge-payment~2"));
    await expect(again).rejects.toMatchObject({ name: "FatalError", code: "payment_refunded" });
  });

  test("a decline is final, in the words of Stripe, and known not to have happened", async () => {
    const { payments, intentId } = await opened({
      ...order,
      paymentMethodId: "pm_card_visa_chargeDeclinedInsufficientFunds",
    });
    const decline = payments.charge(intentId, charging);
    await expect(decline).rejects.toThrow(FatalError);
    await expect(decline).rejects.toMatchObject({
      message: "Your card has insufficient funds.",
      code: "card_declined",
      details: { declineCode: "insufficient_funds" },
      happened: false,
    });
  });

  test("a decline whose reply was lost is still that decline", async () => {
    const { payments, intentId, fault, forgetKeys, executed } = await opened({
      ...order,
      paymentMethodId: "pm_card_visa_chargeDeclined",
    });
    await fault({ orderId: "o-1", on: "confirm", kind: "drop-reply", times: 2 });
    await expect(payments.charge(intentId, charging)).rejects.toThrow(Stripe.errors.StripeConnectionError);
    await forgetKeys();
    await expect(payments.charge(intentId, charging)).rejects.toMatchObject({
      code: "card_declined",
      happened: false,
    });
    expect(await executed()).toEqual(["opened", "declined"]);
  });

  test.for(["rate-limit", "fail"] as const)("%s is left to be retried", async (kind) => {
    const { payments, intentId, fault } = await opened();
    await fault({ orderId: "o-1", on: "confirm", kind });
    await expect(payments.charge(intentId, charging)).rejects.not.toThrow(FatalError);
  });

  test("a request that Stripe does not understand is a bug, and final", async () => {
    const { payments } = await opened();
    const wrong = { ...order, items: [{ productId: "lamp", quantity: 1, price: 1 }] };
    await expect(payments.open(wrong, opening)).rejects.toThrow(FatalError);
    await expect(payments.charge("pi_nope", charging)).rejects.toMatchObject({ code: "resource_missing" });
  });

  test("an aborted step waits for no answer", async () => {
    const { payments, intentId, fault, held, executed } = await opened();
    await fault({ orderId: "o-1", on: "confirm", kind: "hold-reply" });
    const abort = new AbortController();
    const charge = payments.charge(intentId, { ...charging, signal: abort.signal });
    await held;
    abort.abort(new Error("canceled"));
    await expect(charge).rejects.toThrow("canceled");
    expect(await executed()).toEqual(["opened", "charged"]);
  });

  test("an aborted step begins no request", async () => {
    const { payments, intentId, executed } = await opened();
    const aborted = { ...charging, signal: AbortSignal.abort(new Error("canceled")) };
    await expect(payments.charge(intentId, aborted)).rejects.toThrow("canceled");
    expect(await executed()).toEqual(["opened"]);
  });
});

describe("giving back (F108, F127)", () => {
  test("a charge is refunded in full, and once", async () => {
    const { payments, intentId, forgetKeys, ledger } = await opened();
    await payments.charge(intentId, charging);
    await payments.giveBack(intentId, undoing);
    await forgetKeys();
    await payments.giveBack(intentId, undoing);
    const refunds = (await ledger()).filter(({ kind }) => kind === "refunded");
    expect(refunds).toMatchObject([{ orderId: "o-1", amount: 4200 }]);
  });

  test("a refund goes on past a stored 500", async () => {
    const { payments, intentId, fault, executed } = await opened();
    await payments.charge(intentId, charging);
    await fault({ orderId: "o-1", on: "refund", kind: "fail" });
    await expect(payments.giveBack(intentId, undoing)).rejects.toMatchObject({ statusCode: 500 });
    await payments.giveBack(intentId, undoing);
    expect(await executed()).toEqual(["opened", "charged", "refunded"]);
  });

  test("a refund that is refused needs a person, and is not refused for ever because it was once (F109)", async () => {
    const { payments, intentId, fault, executed } = await opened();
    await payments.charge(intentId, charging);
    await fault({ orderId: "o-1", on: "refund", kind: "refuse" });
    const refused = { name: "FatalError", code: "balance_insufficient" };
    await expect(payments.giveBack(intentId, undoing)).rejects.toMatchObject(refused);
    await payments.giveBack(intentId, undoing);
    expect(await executed()).toEqual(["opened", "charged", "refunded"]);
  });

  test("a charge that never happened is made impossible", async () => {
    const { payments, intentId, executed } = await opened();
    await payments.giveBack(intentId, undoing);
    await payments.giveBack(intentId, undoing);
    await expect(payments.charge(intentId, charging)).rejects.toMatchObject({ code: "payment_canceled" });
    expect(await executed()).toEqual(["opened", "canceled"]);
  });

  test("a charge that nobody saw happen is refunded", async () => {
    const { payments, intentId, fault, executed } = await opened();
    await fault({ orderId: "o-1", on: "confirm", kind: "drop-reply", times: 2 });
    await expect(payments.charge(intentId, charging)).rejects.toThrow(Stripe.errors.StripeConnectionError);
    await payments.giveBack(intentId, undoing);
    expect(await executed()).toEqual(["opened", "charged", "refunded"]);
  });

  test("a charge that is still under way is waited for, and refunded", async () => {
    const { payments, intentId, fault, executed } = await opened();
    await fault({ orderId: "o-1", on: "confirm", kind: "slow", ms: 200 });
    const charge = payments.charge(intentId, charging);
    const giveBack = (): Promise<string> =>
      payments.giveBack(intentId, undoing).then(
        () => "given back",
        () => "busy",
      );
    await expect.poll(giveBack).toBe("given back");
    await charge.catch(() => undefined);
    expect(["opened,charged,refunded", "opened,canceled"]).toContain((await executed()).join());
  });
});

test("a live key is refused: this example charges no real cards", () => {
  expect(() => connectStripe({ secretKey: "sk_live_x" })).toThrow("not a test key");
});
