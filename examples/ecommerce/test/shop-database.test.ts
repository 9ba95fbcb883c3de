import { FatalError } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { ENGINES } from "./empty-database.ts";
import { orderCompleted } from "../src/order-completed.ts";
import { available, openedTables, order } from "./open-tables.ts";

const paid = { chargeId: "ch_1", at: new Date(1_000) };

describe.for(ENGINES)("on %s,", (engine) => {
  test("a reservation takes stock, and a release gives it back, once", async () => {
    const { shop, transact } = await openedTables(engine);
    await transact((tables) => tables.reserve(order("o-1", ["lamp", 1], ["mug", 4])));
    expect(await available(shop)).toEqual({ lamp: 1, mug: 6 });
    await shop.release("o-1");
    await shop.release("o-1");
    expect(await available(shop)).toEqual({ lamp: 2, mug: 10 });
    expect(await shop.reservations()).toEqual([]);
  });

  test.for([
    ["lamp", 3, "out_of_stock", "Desk lamp has only 2 left, and the order asks for 3."],
    ["boat", 1, "unknown_product", "There is no product boat."],
  ] as const)(
    "%s × %i can't be reserved, and nothing of the order is",
    async ([productId, quantity, code, message]) => {
      const { shop, transact } = await openedTables(engine);
      const wanted = order("o-1", ["mug", 1], [productId, quantity]);
      const reservation = transact((tables) => tables.reserve(wanted));
      await expect(reservation).rejects.toThrow(new FatalError(message, { code }));
      expect(await available(shop)).toEqual({ lamp: 2, mug: 10 });
    },
  );

  test("what is sold out is called so", async () => {
    const { transact } = await openedTables(engine);
    await transact((tables) => tables.reserve(order("o-1", ["lamp", 2])));
    const tooLate = transact((tables) => tables.reserve(order("o-2", ["lamp", 1])));
    await expect(tooLate).rejects.toThrow("Desk lamp is sold out.");
  });

  test("a confirmed order has its row, and can be taken out of the books", async () => {
    const { shop, transact } = await openedTables(engine);
    const wanted = order("o-1", ["lamp", 2]);
    await transact((tables) => tables.reserve(wanted));
    await transact((tables) => tables.confirm(wanted, paid));
    const row = { orderId: "o-1", userId: "u-1", totalCents: 200, chargeId: "ch_1", completedAt: 1_000 };
    expect(await shop.orders()).toEqual([row]);
    await expect(transact((tables) => tables.confirm(wanted, paid))).rejects.toThrow(/unique/i);
    await shop.release("o-1");
    expect(await shop.orders()).toEqual([]);
    expect(await available(shop)).toEqual({ lamp: 2, mug: 10 });
  });

  test("an order gets a point for each whole dollar, and gets them once", async () => {
    const { shop, transact } = await openedTables(engine);
    const completed = orderCompleted(order("o-1", ["mug", 3]), paid);
    await transact((tables) => tables.award({ ...completed, totalCents: 1_999 }));
    await transact((tables) => tables.award({ ...completed, totalCents: 1_999 }));
    expect(await shop.points()).toEqual([{ orderId: "o-1", userId: "u-1", points: 19, at: 1_000 }]);
  });

  test("a confirmed order has a receipt, and no other has", async () => {
    const { shop, transact } = await openedTables(engine);
    const wanted = order("o-1", ["lamp", 1]);
    await transact((tables) => tables.reserve(wanted));
    expect(await shop.receipt("o-1")).toBeUndefined();
    await transact((tables) => tables.confirm(wanted, paid));
    expect(await shop.receipt("o-1")).toEqual({ orderId: "o-1", chargeId: "ch_1", status: "completed" });
    await shop.release("o-1");
    expect(await shop.receipt("o-1")).toBeUndefined();
  });

  test("an order whose reservation is gone can't be confirmed", async () => {
    const { transact } = await openedTables(engine);
    const confirmation = transact((tables) => tables.confirm(order("o-1", ["lamp", 1]), paid));
    const lost = new FatalError("The goods are no longer set aside for this order.", {
      code: "reservation_lost",
    });
    await expect(confirmation).rejects.toThrow(lost);
  });

  test("what the shop has received already is not received again", async () => {
    const { shop, transact } = await openedTables(engine);
    await transact((tables) => tables.reserve(order("o-1", ["lamp", 1])));
    await shop.receive([{ productId: "lamp", name: "Desk lamp", received: 2 }]);
    expect(await available(shop)).toEqual({ lamp: 1, mug: 10 });
  });
});
