import { transaction } from "@everstep/adapters/sqlite";
import { FatalError, workflow } from "@everstep/core";
import { and, eq, gt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const carts = sqliteTable("carts", { id: text().primaryKey() });
export const orders = sqliteTable("orders", { id: text().primaryKey(), sku: text().notNull() });
export const stock = sqliteTable("stock", { sku: text().primaryKey(), left: integer().notNull() });

export interface Wish {
  readonly orderId: string;
  readonly sku: string;
}

export const order = workflow({ name: "order" }, (ctx, { orderId, sku }: Wish) =>
  transaction(ctx, "reserve", (connection) => {
    const db = drizzle({ client: connection });
    db.insert(orders).values({ id: orderId, sku }).run();
    const isLeft = and(eq(stock.sku, sku), gt(stock.left, 0));
    const taken = db
      .update(stock)
      .set({ left: sql`${stock.left} - 1` })
      .where(isLeft)
      .returning()
      .get();
    if (taken === undefined) throw new FatalError(`no ${sku} is left`, { code: "sold_out" });
    return taken.left;
  }),
);

import { sqlite } from "@everstep/adapters/sqlite";
import { Client } from "@everstep/core";
import Database from "better-sqlite3";

export function openShop(file: string): { place(wish: Wish): void; close(): Promise<void> } {
  const connection = new Database(file);
  connection.pragma("synchronous = FULL"); // a later connection to a WAL file falls back to NORMAL by itself
  const db = drizzle({ client: connection });
  const store = sqlite(file);
  const client = new Client({ store });

  return {
    place: (wish) =>
      db.transaction(
        (tx) => {
          tx.insert(carts).values({ id: wish.orderId }).run();
          void client.start(order, wish, { id: wish.orderId, tx: connection });
        },
        { behavior: "immediate" },
      ),
    async close() {
      await store.close();
      connection.close();
    },
  };
}
