import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { Client } from "pg";
import { onTestFinished } from "vitest";
import type { OrderRequest } from "../src/order-request.ts";
import type { ShopDatabase, ShopTables } from "../src/shop-database.ts";
import { PostgresShopDatabase, PostgresShopTables } from "../src/shop-database-postgres.ts";
import { SqliteShopDatabase, SqliteShopTables } from "../src/shop-database-sqlite.ts";
import { type Engine, emptyPostgresDatabase } from "./empty-database.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface OpenTables {
  readonly shop: ShopDatabase;
  /** On another connection than the shop's own, as the steps do it; rolled back when `body` throws. */
  readonly transact: (body: (tables: ShopTables) => void | Promise<void>) => Promise<void>;
}

/** A shop with two lamps and ten mugs, for one test. */
export async function openedTables(engine: Engine): Promise<OpenTables> {
  const tables = engine === "SQLite" ? onSqlite() : await onPostgres(await emptyPostgresDatabase());
  await tables.shop.receive([
    { productId: "lamp", name: "Desk lamp", received: 2 },
    { productId: "mug", name: "Mug", received: 10 },
  ]);
  return tables;
}

function onSqlite(): OpenTables {
  const path = join(temporaryFolder(), "shop.db");
  const shop = new SqliteShopDatabase(path);
  const db = new Sqlite(path);
  onTestFinished(async () => {
    await shop.close();
    db.close();
  });
  return {
    shop,
    transact: async (body) => db.transaction(() => void body(new SqliteShopTables(db))).immediate(),
  };
}

export async function onPostgres(url: string): Promise<OpenTables> {
  const shop = await PostgresShopDatabase.open(url);
  onTestFinished(() => shop.close());
  return {
    shop,
    transact: async (body) => {
      const client = await openedClient(url);
      await client.query("BEGIN");
      await body(new PostgresShopTables(client));
      await client.query("COMMIT");
    },
  };
}

/** A connection that is closed after the test. */
export async function openedClient(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  onTestFinished(() => client.end());
  await client.connect();
  return client;
}

export function order(
  orderId: string,
  ...items: readonly (readonly [productId: string, quantity: number])[]
): OrderRequest {
  const lines = items.map(([productId, quantity]) => ({ productId, quantity, price: 100 }));
  return { orderId, userId: "u-1", items: lines, paymentMethodId: "pm_card_visa" };
}

/** Of each product, how much is available. */
export async function available(shop: ShopDatabase): Promise<Record<string, number>> {
  return Object.fromEntries((await shop.stock()).map((row) => [row.productId, row.available]));
}
