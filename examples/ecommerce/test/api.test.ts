import { describe, expect, test } from "vitest";
import { lampOrder, openedShop } from "./open-shop.ts";

describe("POST /orders", () => {
  test("answers with the receipt when the order ends in time", async () => {
    const { send } = await openedShop();
    expect(await send("POST", "/orders", lampOrder("o-1"))).toEqual({
      status: 200,
      body: { orderId: "o-1", chargeId: expect.stringMatching(/^ch_/) as string, status: "completed" },
    });
  });

  test("answers 202 and where to look when it takes longer", async () => {
    const { send, simulator } = await openedShop({ waitMs: 50 });
    await simulator.fault({ orderId: "o-1", on: "confirm", kind: "slow", ms: 500 });
    const processing = { orderId: "o-1", status: "processing", statusUrl: "/orders/o-1" };
    expect(await send("POST", "/orders", lampOrder("o-1"))).toEqual({ status: 202, body: processing });
    await expect
      .poll(() => send("GET", "/orders/o-1"))
      .toMatchObject({ status: 200, body: { status: "completed" } });
  });

  test("the same order twice is one order, one charge, and the same answer", async () => {
    const { send, simulator } = await openedShop();
    const [first, twin] = await Promise.all([1, 2].map(() => send("POST", "/orders", lampOrder("o-1"))));
    const later = await send("POST", "/orders", lampOrder("o-1"));
    expect(first).toMatchObject({ status: 200 });
    expect([twin, later]).toEqual([first, first]);
    expect(await simulator.executed()).toEqual(["opened", "charged"]);
  });

  test("another order under the same id is a conflict", async () => {
    const { send, simulator } = await openedShop();
    await send("POST", "/orders", lampOrder("o-1"));
    const other = await send("POST", "/orders", lampOrder("o-1", { userId: "user-2" }));
    expect(other).toMatchObject({ status: 409, body: { error: "order_exists" } });
    expect(await simulator.executed()).toEqual(["opened", "charged"]);
  });

  test.for([
    [{ paymentMethodId: "pm_card_visa_chargeDeclined" }, "card_declined", "Your card was declined."],
    [
      { items: [{ productId: "lamp", quantity: 4, price: 100 }] },
      "out_of_stock",
      "Desk lamp has only 3 left, and the order asks for 4.",
    ],
    [
      { items: [{ productId: "boat", quantity: 1, price: 100 }] },
      "unknown_product",
      "There is no product boat.",
    ],
  ] as const)("an order that fails says why in plain words: %o", async ([change, code, reason]) => {
    const { send } = await openedShop();
    const failed = { status: 200, body: { orderId: "o-1", status: "failed", code, reason } };
    expect(await send("POST", "/orders", lampOrder("o-1", change))).toEqual(failed);
    expect(await send("GET", "/orders/o-1")).toEqual(failed);
  });

  const item = { productId: "lamp", quantity: 1, price: 100 };
  test.for([
    [{ orderId: undefined }, "orderId"],
    [{ orderId: "../etc" }, "orderId"],
    [{ orderId: "x".repeat(65) }, "orderId"],
    [{ userId: 7 }, "userId"],
    [{ items: [] }, "items"],
    [{ items: Array.from({ length: 101 }, (_, at) => ({ ...item, productId: `p-${at}` })) }, "items"],
    [{ items: [{ ...item, quantity: 0 }] }, "items[0].quantity"],
    [{ items: [{ ...item, quantity: 1.5 }] }, "items[0].quantity"],
    [{ items: [item, { ...item, productId: "mug", price: -1 }] }, "items[1].price"],
    [{ items: [{ ...item, price: 2 ** 60 }] }, "items[0].price"],
    [{ items: [item, item] }, "items[1].productId"],
    [{ items: [{ ...item, price: 49 }] }, "items"],
    [{ items: [{ ...item, quantity: 1000, price: 99_999_999 }] }, "items"],
    [{ paymentMethodId: "" }, "paymentMethodId"],
    [{ discount: 5 }, ""],
  ] as const)("names the field that is wrong: %o", async ([change, field]) => {
    const { send, client } = await openedShop();
    const answer = await send("POST", "/orders", { ...lampOrder("o-1"), ...change });
    const fields = expect.arrayContaining([{ field, message: expect.any(String) as string }]) as unknown;
    expect(answer).toMatchObject({ status: 422, body: { error: "invalid_order", fields } });
    expect(await client.runs.count()).toBe(0);
  });

  test.for([
    ["application/json", "{", 400],
    ["application/json", `"${"x".repeat(70_000)}"`, 413],
    ["text/plain", "an order, please", 415],
    ["application/json", "null", 400],
    ["application/json", "[]", 422],
  ] as const)("refuses a %s body that is no order", async ([type, body, status]) => {
    const { url } = await openedShop();
    const answer = await fetch(`${url}/orders`, { method: "POST", headers: { "content-type": type }, body });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toHaveProperty("message");
  });
});

describe("GET /orders/:id", () => {
  test.for(["/orders/nobody", "/orders/%00", "/orders/..%2fetc"])("%s is not known", async (path) => {
    const { send } = await openedShop();
    expect(await send("GET", path)).toMatchObject({ status: 404, body: { error: "unknown_order" } });
  });
});

describe("POST /orders/:id/cancel", () => {
  test("undoes an order that is under way", async () => {
    const { send, simulator, database } = await openedShop({ waitMs: 50 });
    await simulator.fault({ orderId: "o-1", on: "confirm", kind: "rate-limit", times: 1_000 });
    expect(await send("POST", "/orders", lampOrder("o-1"))).toMatchObject({ status: 202 });
    expect(await send("POST", "/orders/o-1/cancel")).toMatchObject({ status: 202 });
    await expect
      .poll(() => send("GET", "/orders/o-1"))
      .toEqual({ status: 200, body: { orderId: "o-1", status: "canceled" } });
    expect(await simulator.executed()).toEqual(["opened", "canceled"]);
    expect(await database.stock()).toMatchObject([{ available: 3 }]);
  });

  test("comes too late for an order that has ended", async () => {
    const { send } = await openedShop();
    await send("POST", "/orders", lampOrder("o-1"));
    expect(await send("POST", "/orders/o-1/cancel")).toMatchObject({
      status: 409,
      body: { error: "order_ended" },
    });
    expect(await send("GET", "/orders/o-1")).toMatchObject({ body: { status: "completed" } });
  });

  test("of an order that nobody made is not found", async () => {
    const { send } = await openedShop();
    expect(await send("POST", "/orders/nobody/cancel")).toMatchObject({ status: 404 });
  });
});
