import { transaction } from "@everstep/adapters/sqlite";
import type { Context } from "@everstep/core";
import Sqlite, { type Database } from "better-sqlite3";
import type { OrderCompleted } from "./order-completed.ts";
import { type OrderRequest, type Receipt, totalCents } from "./order-request.ts";
import {
  type OrderRow,
  type Paid,
  pointsFor,
  type PointsRow,
  type Product,
  type ReservationRow,
  reservationLost,
  type ShopDatabase,
  type ShopTables,
  shortage,
  type StockRow,
} from "./shop-database.ts";

const TABLES = `
  CREATE TABLE IF NOT EXISTS products (
    product_id TEXT PRIMARY KEY,
    name TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS stock (
    product_id TEXT PRIMARY KEY REFERENCES products,
    received INTEGER NOT NULL,
    available INTEGER NOT NULL CHECK (available BETWEEN 0 AND received)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS reservations (
    order_id TEXT NOT NULL,
    product_id TEXT NOT NULL REFERENCES stock,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    total_cents INTEGER NOT NULL,
    charge_id TEXT NOT NULL UNIQUE,
    completed_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS loyalty_points (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    points INTEGER NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const ORDERS =
  "SELECT order_id AS orderId, user_id AS userId, total_cents AS totalCents, charge_id AS chargeId, completed_at AS completedAt FROM orders";
const STOCK =
  "SELECT product_id AS productId, name, received, available FROM stock JOIN products USING (product_id)";
const POINTS = "SELECT order_id AS orderId, user_id AS userId, points, at FROM loyalty_points";
const RESERVATIONS = "SELECT order_id AS orderId, product_id AS productId, quantity FROM reservations";

/** The shop's tables in a SQLite file, with a connection of their own for what is not part of a step's transaction. */
export class SqliteShopDatabase implements ShopDatabase {
  readonly #db: Database;

  /** Makes the tables where they are missing. */
  constructor(path: string) {
    this.#db = new Sqlite(path);
    this.#db.pragma("journal_mode = WAL");
    this.#db.pragma("foreign_keys = ON");
    // On every open: better-sqlite3 is compiled so that a database already in WAL mode falls to NORMAL.
    this.#db.pragma("synchronous = FULL");
    this.#db.exec(TABLES);
  }

  transaction(ctx: Context, name: string, body: (tables: ShopTables) => void): Promise<void> {
    return transaction(ctx, name, (db) => body(new SqliteShopTables(db)));
  }

  async release(orderId: string): Promise<void> {
    this.#db
      .transaction(() => {
        const held = this.#db
          .prepare<[string], ReservationRow>(`${RESERVATIONS} WHERE order_id = ?`)
          .all(orderId);
        const giveBack = this.#db.prepare("UPDATE stock SET available = available + ? WHERE product_id = ?");
        for (const { productId, quantity } of held) giveBack.run(quantity, productId);
        this.#db.prepare("DELETE FROM reservations WHERE order_id = ?").run(orderId);
        this.#db.prepare("DELETE FROM orders WHERE order_id = ?").run(orderId);
      })
      .immediate();
  }

  async receive(products: readonly Product[]): Promise<void> {
    const product = this.#db.prepare("INSERT OR IGNORE INTO products VALUES (@productId, @name)");
    const stock = this.#db.prepare("INSERT OR IGNORE INTO stock VALUES (@productId, @received, @received)");
    this.#db.transaction(() => {
      for (const row of products) {
        product.run(row);
        stock.run(row);
      }
    })();
  }

  async receipt(orderId: string): Promise<Receipt | undefined> {
    const row = this.#db.prepare<[string], OrderRow>(`${ORDERS} WHERE order_id = ?`).get(orderId);
    return row && { orderId, chargeId: row.chargeId, status: "completed" };
  }

  async orders(): Promise<readonly OrderRow[]> {
    return this.#db.prepare<[], OrderRow>(ORDERS).all();
  }

  async points(): Promise<readonly PointsRow[]> {
    return this.#db.prepare<[], PointsRow>(POINTS).all();
  }

  async stock(): Promise<readonly StockRow[]> {
    return this.#db.prepare<[], StockRow>(STOCK).all();
  }

  async reservations(): Promise<readonly ReservationRow[]> {
    return this.#db.prepare<[], ReservationRow>(RESERVATIONS).all();
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}

/** Of a connection in a transaction. */
export class SqliteShopTables implements ShopTables {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  reserve({ orderId, items }: OrderRequest): void {
    const take = this.#db.prepare(
      "UPDATE stock SET available = available - ? WHERE product_id = ? AND available >= ?",
    );
    const hold = this.#db.prepare("INSERT INTO reservations VALUES (?, ?, ?)");
    for (const item of items) {
      const { productId, quantity } = item;
      if (take.run(quantity, productId, quantity).changes === 0)
        throw shortage(item, this.#stockOf(productId));
      hold.run(orderId, productId, quantity);
    }
  }

  confirm({ orderId, userId, items }: OrderRequest, { chargeId, at }: Paid): void {
    const held = this.#db.prepare(`${RESERVATIONS} WHERE order_id = ?`).all(orderId);
    if (held.length !== items.length) throw reservationLost();
    this.#db
      .prepare("INSERT INTO orders VALUES (?, ?, ?, ?, ?)")
      .run(orderId, userId, totalCents(items), chargeId, at.getTime());
  }

  /** Nothing bounds it: the wait for the file's lock, 5 seconds at most, is over when this is called, and it then waits for nobody. */
  award(order: OrderCompleted): void {
    this.#db
      .prepare("INSERT INTO loyalty_points VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
      .run(order.orderId, order.userId, pointsFor(order), Date.parse(order.completedAt));
  }

  #stockOf(productId: string): StockRow | undefined {
    return this.#db.prepare<[string], StockRow>(`${STOCK} WHERE product_id = ?`).get(productId);
  }
}
