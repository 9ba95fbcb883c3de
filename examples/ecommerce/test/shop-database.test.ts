import { join } from "node:path";
import { FatalError } from "@everstep/core";
import Sqlite, { type Database } from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { OrderRequest } from "../src/order-request.ts";
import { confirm, reserve, ShopDatabase } from "../src/shop-database.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A shop with two lamps and ten mugs, and a second connection: that of the steps. */
function openedShop(): { shop: ShopDatabase; db: Database; transact: (body: () => void) => void } {
  const path = join(temporaryFolder(), "shop.db");
  const shop = new ShopDatabase(path);
  const db = new Sqlite(path);
  onTestFinished(() => {
    shop.close();
    db.close();
  });
  shop.receive([
    { productId: "lamp", name: "Desk lamp", received: 2 },
    { productId: "mug", name: "Mug", received: 10 },
  ]);
  return { shop, db, transact: (body) => db.transaction(body).immediate() };
}

function order(
  orderId: string,
  ...items: readonly (readonly [productId: string, quantity: number])[]
): OrderRequest {
  const lines = items.map(([productId, quantity]) => ({ productId, quantity, price: 100 }));
  return { orderId, userId: "u-1", items: lines, paymentMethodId: "pm_card_visa" };
}

const paid = { chargeId: "ch_1", at: new Date(1_000) };

function available(shop: ShopDatabase): Record<string, number> {
  return Object.fromEntries(shop.stock().map((row) => [row.productId, row.available]));
}

test("a reservation takes stock, and a release gives it back, once", () => {
  const { shop, db, transact } = openedShop();
  transact(() => reserve(db, order("o-1", ["lamp", 1], ["mug", 4])));
  expect(available(shop)).toEqual({ lamp: 1, mug: 6 });
  shop.release("o-1");
  shop.release("o-1");
  expect(available(shop)).toEqual({ lamp: 2, mug: 10 });
  expect(shop.reservations()).toEqual([]);
});

test.for([
  ["lamp", 3, "out_of_stock", "Desk lamp has only 2 left, and the order asks for 3."],
  ["boat", 1, "unknown_product", "There is no product boat."],
] as const)(
  "%s × %i can't be reserved, and nothing of the order is",
  ([productId, quantity, code, message]) => {
    const { shop, db, transact } = openedShop();
    const wanted = order("o-1", ["mug", 1], [productId, quantity]);
    expect(() => transact(() => reserve(db, wanted))).toThrow(new FatalError(message, { code }));
    expect(available(shop)).toEqual({ lamp: 2, mug: 10 });
  },
);

test("what is sold out is called so", () => {
  const { db, transact } = openedShop();
  transact(() => reserve(db, order("o-1", ["lamp", 2])));
  expect(() => transact(() => reserve(db, order("o-2", ["lamp", 1])))).toThrow("Desk lamp is sold out.");
});

test("a confirmed order has its row, and can be taken out of the books", () => {
  const { shop, db, transact } = openedShop();
  const wanted = order("o-1", ["lamp", 2]);
  transact(() => reserve(db, wanted));
  transact(() => confirm(db, wanted, paid));
  const row = { orderId: "o-1", userId: "u-1", totalCents: 200, chargeId: "ch_1", completedAt: 1_000 };
  expect(shop.orders()).toEqual([row]);
  expect(() => transact(() => confirm(db, wanted, paid))).toThrow("UNIQUE");
  shop.release("o-1");
  expect(shop.orders()).toEqual([]);
  expect(available(shop)).toEqual({ lamp: 2, mug: 10 });
});

test("an order whose reservation is gone can't be confirmed", () => {
  const { db, transact } = openedShop();
  const confirmation = (): void => transact(() => confirm(db, order("o-1", ["lamp", 1]), paid));
  expect(confirmation).toThrow(FatalError);
  expect(confirmation).toThrow("no longer set aside");
});

test("what the shop has received already is not received again", () => {
  const { shop, db, transact } = openedShop();
  transact(() => reserve(db, order("o-1", ["lamp", 1])));
  shop.receive([{ productId: "lamp", name: "Desk lamp", received: 2 }]);
  expect(available(shop)).toEqual({ lamp: 1, mug: 10 });
});
