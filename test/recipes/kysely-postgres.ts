import { transaction } from "@everstep/adapters/postgres";
import { FatalError, workflow } from "@everstep/core";
import { Kysely, PostgresDialect } from "kysely";
import type { ClientBase, PoolClient } from "pg";

export interface Tables {
  carts: { id: string };
  orders: { id: string; sku: string };
  stock: { sku: string; left: number };
}

/** Kysely on the one connection of an open transaction, which it can neither release nor close. */
function kyselyOn(connection: ClientBase): Kysely<Tables> {
  const lent = { query: connection.query.bind(connection), release: () => {} } as PoolClient;
  const pool = { options: {}, connect: () => Promise.resolve(lent), end: () => Promise.resolve() };
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

export interface Wish {
  readonly orderId: string;
  readonly sku: string;
}

export const order = workflow({ name: "order" }, (ctx, { orderId, sku }: Wish) =>
  transaction(ctx, "reserve", async (connection) => {
    const db = kyselyOn(connection);
    await db.insertInto("orders").values({ id: orderId, sku }).execute();
    const taken = await db
      .updateTable("stock")
      .set((row) => ({ left: row("left", "-", 1) }))
      .where("sku", "=", sku)
      .where("left", ">", 0)
      .returning("left")
      .executeTakeFirst();
    if (taken === undefined) throw new FatalError(`no ${sku} is left`, { code: "sold_out" });
    return taken.left;
  }),
);

import { kyselyTx, postgres } from "@everstep/adapters/postgres";
import { Client } from "@everstep/core";
import { CompiledQuery } from "kysely";
import { Pool } from "pg";

export function openShop(url: string): { place(wish: Wish): Promise<void>; close(): Promise<void> } {
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }),
  });
  const store = postgres(url);
  const client = new Client({ store });

  return {
    place: (wish) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto("carts").values({ id: wish.orderId }).execute();
        await client.start(order, wish, { id: wish.orderId, tx: kyselyTx(trx, CompiledQuery) });
      }),
    async close() {
      await store.close();
      await db.destroy();
    },
  };
}
