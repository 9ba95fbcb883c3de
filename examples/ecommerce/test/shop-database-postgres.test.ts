/** What only a database of many connections can get wrong: two orders at once. */
import type { Client } from "pg";
import { expect, test } from "vitest";
import { orderCompleted } from "../src/order-completed.ts";
import { PostgresShopDatabase, PostgresShopTables } from "../src/shop-database-postgres.ts";
import { emptyPostgresDatabase } from "./empty-database.ts";
import { available, onPostgres, openedClient, order, type OpenTables } from "./open-tables.ts";

interface Rivals extends OpenTables {
  /** A transaction that is open: it holds the locks of what it has done until the test ends it. */
  readonly first: { readonly client: Client; readonly tables: PostgresShopTables };
  /** Settles once this many connections wait for a lock. */
  readonly waiting: (connections: number) => Promise<void>;
}

/** A shop with two lamps and ten mugs. */
async function openedRivals(): Promise<Rivals> {
  const url = await emptyPostgresDatabase();
  const opened = await onPostgres(url);
  await opened.shop.receive([
    { productId: "lamp", name: "Desk lamp", received: 2 },
    { productId: "mug", name: "Mug", received: 10 },
  ]);
  const [client, observer] = [await openedClient(url), await openedClient(url)];
  await client.query("BEGIN");
  const locked =
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  return {
    ...opened,
    first: { client, tables: new PostgresShopTables(client) },
    waiting: (connections) =>
      expect.poll(async () => (await observer.query(locked)).rowCount).toBe(connections),
  };
}

test("of two orders for the last lamps the second waits, and then finds them sold out", async () => {
  const { shop, transact, first, waiting } = await openedRivals();
  await first.tables.reserve(order("o-1", ["lamp", 2]));
  const second = transact((tables) => tables.reserve(order("o-2", ["lamp", 1])));
  const [refusal] = await Promise.all([
    second.catch((error: unknown) => error),
    waiting(1).then(() => first.client.query("COMMIT")),
  ]);
  expect(refusal).toMatchObject({ code: "out_of_stock", message: "Desk lamp is sold out." });
  expect(await available(shop)).toEqual({ lamp: 0, mug: 10 });
});

test("and gets them when the first does not take them after all", async () => {
  const { shop, transact, first, waiting } = await openedRivals();
  await first.tables.reserve(order("o-1", ["lamp", 2]));
  const second = transact((tables) => tables.reserve(order("o-2", ["lamp", 1])));
  await waiting(1);
  await first.client.query("ROLLBACK");
  await second;
  expect(await available(shop)).toEqual({ lamp: 1, mug: 10 });
});

test("what the first takes while the second waits is not given out again", async () => {
  const { shop, transact, first, waiting } = await openedRivals();
  await first.tables.reserve(order("o-1", ["lamp", 1], ["mug", 3]));
  const second = transact((tables) => tables.reserve(order("o-2", ["lamp", 1], ["mug", 4])));
  await waiting(1);
  await first.client.query("COMMIT");
  await second;
  expect(await available(shop)).toEqual({ lamp: 0, mug: 3 });
});

test("orders that list the same products in another order don't wait for each other in a circle", async () => {
  const { shop, transact, first, waiting } = await openedRivals();
  await first.tables.reserve(order("o-1", ["lamp", 1]));
  const second = transact((tables) => tables.reserve(order("o-2", ["mug", 1], ["lamp", 1])));
  await waiting(1);
  await first.tables.reserve(order("o-3", ["mug", 2]));
  await first.client.query("COMMIT");
  await second;
  expect(await available(shop)).toEqual({ lamp: 0, mug: 7 });
});

test("nor does a release", async () => {
  const { shop, transact, first, waiting } = await openedRivals();
  await transact((tables) => tables.reserve(order("o-1", ["mug", 1], ["lamp", 1])));
  await first.tables.reserve(order("o-2", ["lamp", 1]));
  const release = shop.release("o-1");
  await waiting(1);
  await first.tables.reserve(order("o-3", ["mug", 2]));
  await first.client.query("COMMIT");
  await release;
  expect(await available(shop)).toEqual({ lamp: 1, mug: 8 });
});

test("two that release the same order at once give its goods back once", async () => {
  const { shop, transact, first, waiting } = await openedRivals();
  await transact((tables) => tables.reserve(order("o-1", ["lamp", 1], ["mug", 1])));
  await first.client.query("SELECT FROM shop.stock FOR UPDATE");
  const releases = [shop.release("o-1"), shop.release("o-1")];
  await waiting(2);
  await first.client.query("COMMIT");
  await Promise.all(releases);
  expect(await available(shop)).toEqual({ lamp: 2, mug: 10 });
});

test("an order that is being confirmed is released after it, with its row", async () => {
  const { shop, transact, first, waiting } = await openedRivals();
  const wanted = order("o-1", ["lamp", 1]);
  await transact((tables) => tables.reserve(wanted));
  await first.tables.confirm(wanted, { chargeId: "ch_1", at: new Date(0) });
  const release = shop.release("o-1");
  await waiting(1);
  await first.client.query("COMMIT");
  await release;
  expect([await shop.orders(), await shop.reservations()]).toEqual([[], []]);
});

test("processes that start at the same time make the tables once", async () => {
  const url = await emptyPostgresDatabase();
  const shops = await Promise.all(Array.from({ length: 8 }, () => PostgresShopDatabase.open(url)));
  const lamp = { productId: "lamp", name: "Desk lamp", received: 2 };
  await Promise.all(shops.map((shop) => shop.receive([lamp])));
  expect(await shops[0]?.stock()).toEqual([{ ...lamp, available: 2 }]);
  await Promise.all(shops.map((shop) => shop.close()));
});

test("points that can't be booked within 15 s are given up, and nothing else of that connection is", async () => {
  const { first } = await openedRivals();
  const patience = async (): Promise<unknown> => (await first.client.query("SHOW statement_timeout")).rows;
  const paid = { chargeId: "ch_1", at: new Date(0) };
  await first.tables.award(orderCompleted(order("o-1", ["mug", 1]), paid));
  expect(await patience()).toEqual([{ statement_timeout: "15s" }]);
  await first.client.query("COMMIT");
  expect(await patience()).toEqual([{ statement_timeout: "0" }]);
});
