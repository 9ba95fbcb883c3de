import { postgres } from "@everstep/adapters/postgres";
import { sqlite } from "@everstep/adapters/sqlite";
import type { Store } from "@everstep/core";
import type { ShopDatabase } from "./shop-database.ts";
import { PostgresShopDatabase } from "./shop-database-postgres.ts";
import { SqliteShopDatabase } from "./shop-database-sqlite.ts";

/** One database for both: everstep's journals and the shop's tables. */
export interface Storage {
  readonly store: Store;
  readonly database: ShopDatabase;
}

/**
 * What the variable STORE says:
 *
 *     sqlite            the default: the file at SHOP_DB, shop.db
 *     postgres          the database at DATABASE_URL
 *     postgres://…      that database
 */
export async function openStorage(env: NodeJS.ProcessEnv): Promise<Storage> {
  const { STORE = "sqlite", SHOP_DB = "shop.db", DATABASE_URL } = env;
  if (STORE === "sqlite") return { database: new SqliteShopDatabase(SHOP_DB), store: sqlite(SHOP_DB) };
  const url = STORE === "postgres" ? DATABASE_URL : STORE;
  if (url === undefined || !/^postgres(?:ql)?:\/\//.test(url)) {
    throw new Error("STORE is sqlite, or postgres with a DATABASE_URL, or itself a postgres:// URL");
  }
  return { database: await PostgresShopDatabase.open(url), store: postgres(url) };
}
