import { FatalError, RunCanceledError, RunFailedError } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { ENGINES } from "./empty-database.ts";
import type { Shop } from "../src/shop.ts";
import { lampOrder, openedShop, type OpenShop } from "./open-shop.ts";

/** What is left when an order came to nothing. */
async function expectUntouched({ database }: OpenShop): Promise<void> {
  expect(await database.orders()).toEqual([]);
  expect(await database.reservations()).toEqual([]);
  expect(await database.stock()).toMatchObject([{ productId: "lamp", received: 3, available: 3 }]);
}

async function place(shop: OpenShop, request = lampOrder("o-1")): Promise<unknown> {
  const run = await shop.client.start(shop.order, request, { id: request.orderId });
  return run.result({ timeout: "5s" }).catch((error: unknown) => error);
}

describe.for(ENGINES)("on %s an order", (engine) => {
  test("is charged, confirmed, and its stock sold", async () => {
    const shop = await openedShop({ engine });
    const receipt = await place(shop);
    const [, charge] = await shop.simulator.ledger();
    expect(charge).toMatchObject({ kind: "charged", orderId: "o-1", amount: 4_900 });
    expect(receipt).toEqual({ orderId: "o-1", chargeId: charge?.chargeId, status: "completed" });
    expect(await shop.database.orders()).toMatchObject([
      { orderId: "o-1", totalCents: 4_900, chargeId: charge?.chargeId },
    ]);
    expect(await shop.database.stock()).toMatchObject([{ available: 2 }]);
  });

  test("goes through its steps in this order", async () => {
    const shop = await openedShop({ engine });
    await place(shop);
    const { journal } = await shop.client.runs.read("o-1");
    const steps = journal.filter(({ kind }) => kind === "step").map(({ key }) => key);
    expect(steps).toEqual(["reserve-inventory", "open-payment", "charge-payment", "confirm-order"]);
  });

  test("that is declined fails with the reason, and gives its stock back", async () => {
    const shop = await openedShop({ engine });
    const request = lampOrder("o-1", { paymentMethodId: "pm_card_visa_chargeDeclinedInsufficientFunds" });
    const failure = await place(shop, request);
    expect(failure).toBeInstanceOf(RunFailedError);
    expect(failure).toMatchObject({
      cause: { cause: { code: "card_declined", message: "Your card has insufficient funds." } },
    });
    expect(await shop.simulator.executed()).toEqual(["opened", "declined"]);
    await expectUntouched(shop);
  });

  test("of more than there is fails before any payment", async () => {
    const shop = await openedShop({ engine });
    const failure = await place(
      shop,
      lampOrder("o-1", { items: [{ productId: "lamp", quantity: 4, price: 100 }] }),
    );
    expect(failure).toMatchObject({ cause: { cause: { code: "out_of_stock" } } });
    expect(await shop.simulator.executed()).toEqual([]);
    await expectUntouched(shop);
  });

  test("whose payment meets every trouble at once is charged once", async () => {
    const shop = await openedShop({ engine });
    await shop.simulator.fault({ orderId: "o-1", on: "create", kind: "rate-limit" });
    await shop.simulator.fault({ orderId: "o-1", on: "create", kind: "fail" });
    await shop.simulator.fault({ orderId: "o-1", on: "confirm", kind: "fail-after" });
    expect(await place(shop)).toMatchObject({ status: "completed" });
    expect(await shop.simulator.executed()).toEqual(["opened", "charged"]);
  });

  test("whose goods were given away after it was paid is refunded", async () => {
    const around = (own: Shop): Shop => ({
      ...own,
      charge: async (paymentId, step) => {
        const chargeId = await own.charge(paymentId, step);
        await own.release("o-1");
        return chargeId;
      },
    });
    const shop = await openedShop({ engine, around });
    expect(await place(shop)).toMatchObject({ cause: { cause: { code: "reservation_lost" } } });
    expect(await shop.simulator.executed()).toEqual(["opened", "charged", "refunded"]);
    await expectUntouched(shop);
  });

  test("that can't be confirmed is refunded", async () => {
    const confirm = (): never => {
      throw new FatalError("The warehouse burnt down.");
    };
    const shop = await openedShop({ engine, instead: { confirm } });
    expect(await place(shop)).toMatchObject({ cause: { cause: { message: "The warehouse burnt down." } } });
    expect(await shop.simulator.executed()).toEqual(["opened", "charged", "refunded"]);
    await expectUntouched(shop);
  });

  test("that is canceled while nobody knows whether it was charged is refunded (F108)", async () => {
    const shop = await openedShop({ engine });
    await shop.simulator.fault({ orderId: "o-1", on: "confirm", kind: "hold-reply" });
    const run = await shop.client.start(shop.order, lampOrder("o-1"), { id: "o-1" });
    await shop.simulator.held;
    await run.cancel();
    await expect(run.result({ timeout: "10s" })).rejects.toThrow(RunCanceledError);
    expect(await shop.simulator.executed()).toEqual(["opened", "charged", "refunded"]);
    await expectUntouched(shop);
  });
});
