import { transaction } from "@everstep/adapters/sqlite";
import { FatalError, workflow } from "@everstep/core";
import type { Database } from "better-sqlite3";
import {
  type Compilable,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";

export interface Tables {
  carts: { id: string };
  orders: { id: string; sku: string };
  stock: { sku: string; left: number };
}

/** Only writes SQL down: whoever executes it is not Kysely. */
const sqlOnly = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** The rows that it answers, typed as Kysely would. */
function execute<Row>(connection: Database, query: Compilable<Row>): Row[] {
  const { sql, parameters } = query.compile();
  const statement = connection.prepare<unknown[], Row>(sql);
  if (statement.reader) return statement.all(...parameters);
  statement.run(...parameters);
  return [];
}

export interface Wish {
  readonly orderId: string;
  readonly sku: string;
}

export const order = workflow({ name: "order" }, (ctx, { orderId, sku }: Wish) =>
  transaction(ctx, "reserve", (connection) => {
    execute(connection, sqlOnly.insertInto("orders").values({ id: orderId, sku }));
    const [taken] = execute(
      connection,
      sqlOnly
        .updateTable("stock")
        .set((row) => ({ left: row("left", "-", 1) }))
        .where("sku", "=", sku)
        .where("left", ">", 0)
        .returning("left"),
    );
    if (taken === undefined) throw new FatalError(`no ${sku} is left`, { code: "sold_out" });
    return taken.left;
  }),
);

import { sqlite } from "@everstep/adapters/sqlite";
import { Client } from "@everstep/core";
import SqliteDatabase from "better-sqlite3";
import { SqliteDialect } from "kysely";

export function openShop(file: string): { place(wish: Wish): Promise<void>; close(): Promise<void> } {
  const connection = new SqliteDatabase(file);
  connection.pragma("synchronous = FULL"); // a later connection to a WAL file falls back to NORMAL by itself
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: connection }) });
  const store = sqlite(file);
  const client = new Client({ store });

  return {
    place: (wish) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto("carts").values({ id: wish.orderId }).execute();
        await client.start(order, wish, { id: wish.orderId, tx: connection });
      }),
    async close() {
      await store.close();
      await db.destroy();
    },
  };
}
