import { transaction } from "@everstep/adapters/postgres";
import { FatalError, workflow } from "@everstep/core";
import { and, eq, gt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable, text } from "drizzle-orm/pg-core";
import type { PoolClient } from "pg";

export const carts = pgTable("carts", { id: text().primaryKey() });
export const orders = pgTable("orders", { id: text().primaryKey(), sku: text().notNull() });
export const stock = pgTable("stock", { sku: text().primaryKey(), left: integer().notNull() });

export interface Wish {
  readonly orderId: string;
  readonly sku: string;
}

export const order = workflow({ name: "order" }, (ctx, { orderId, sku }: Wish) =>
  transaction(ctx, "reserve", async (connection) => {
    const db = drizzle({ client: connection as PoolClient }); // which it never releases
    await db.insert(orders).values({ id: orderId, sku });
    const isLeft = and(eq(stock.sku, sku), gt(stock.left, 0));
    const [taken] = await db
      .update(stock)
      .set({ left: sql`${stock.left} - 1` })
      .where(isLeft)
      .returning();
    if (taken === undefined) throw new FatalError(`no ${sku} is left`, { code: "sold_out" });
    return taken.left;
  }),
);

import { drizzleTx, postgres } from "@everstep/adapters/postgres";
import { Client } from "@everstep/core";
import { Pool } from "pg";

export function openShop(url: string): { place(wish: Wish): Promise<void>; close(): Promise<void> } {
  const pool = new Pool({ connectionString: url });
  const db = drizzle({ client: pool });
  const store = postgres(url);
  const client = new Client({ store });

  return {
    place: (wish) =>
      db.transaction(async (tx) => {
        await tx.insert(carts).values({ id: wish.orderId });
        await client.start(order, wish, { id: wish.orderId, tx: drizzleTx(tx, sql) });
      }),
    async close() {
      await store.close();
      await pool.end();
    },
  };
}
