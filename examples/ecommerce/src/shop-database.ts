/**
 * The shop's own tables. They live in the same SQLite file as the journal, so that a step of an order and its journal entry can
 * commit together.
 *
 * 1. Of each product: received = available + what all reservations hold.
 * 2. A reservation is sold once its order has a row in `orders`; until then it is held.
 */
import { FatalError } from "@everstep/core";
import Sqlite, { type Database } from "better-sqlite3";
import { type OrderRequest, totalCents } from "./order-request.ts";

export interface Product {
  readonly productId: string;
  readonly name: string;
  /** Pieces that came in. */
  readonly received: number;
}

export interface OrderRow {
  readonly orderId: string;
  readonly userId: string;
  readonly totalCents: number;
  readonly chargeId: string;
  readonly completedAt: number;
}

export interface StockRow extends Product {
  readonly available: number;
}

export interface ReservationRow {
  readonly orderId: string;
  readonly productId: string;
  readonly quantity: number;
}

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
`;

/** A connection of the shop's own, for what is not part of a step's transaction. */
export class ShopDatabase {
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

  /** Products that the shop knows already stay as they are. */
  receive(products: readonly Product[]): void {
    const product = this.#db.prepare("INSERT OR IGNORE INTO products VALUES (@productId, @name)");
    const stock = this.#db.prepare("INSERT OR IGNORE INTO stock VALUES (@productId, @received, @received)");
    this.#db.transaction(() => {
      for (const row of products) {
        product.run(row);
        stock.run(row);
      }
    })();
  }

  /** Takes an order out of the books: what it holds or has bought is available again. Done twice, it changes nothing. */
  release(orderId: string): void {
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

  orders(): OrderRow[] {
    return this.#db.prepare<[], OrderRow>(ORDERS).all();
  }

  stock(): StockRow[] {
    return this.#db.prepare<[], StockRow>(STOCK).all();
  }

  reservations(): ReservationRow[] {
    return this.#db.prepare<[], ReservationRow>(RESERVATIONS).all();
  }

  close(): void {
    this.#db.close();
  }
}

const ORDERS =
  "SELECT order_id AS orderId, user_id AS userId, total_cents AS totalCents, charge_id AS chargeId, completed_at AS completedAt FROM orders";
const STOCK =
  "SELECT product_id AS productId, name, received, available FROM stock JOIN products USING (product_id)";
const RESERVATIONS = "SELECT order_id AS orderId, product_id AS productId, quantity FROM reservations";

/** Holds the stock of an order. For a transaction: it fails for good when a product is short, and then nothing is held. */
export function reserve(db: Database, { orderId, items }: OrderRequest): void {
  const take = db.prepare(
    "UPDATE stock SET available = available - ? WHERE product_id = ? AND available >= ?",
  );
  const hold = db.prepare("INSERT INTO reservations VALUES (?, ?, ?)");
  for (const { productId, quantity } of items) {
    if (take.run(quantity, productId, quantity).changes === 0) throw shortage(db, productId, quantity);
    hold.run(orderId, productId, quantity);
  }
}

function shortage(db: Database, productId: string, quantity: number): FatalError {
  const row = db.prepare<[string], StockRow>(`${STOCK} WHERE product_id = ?`).get(productId);
  if (row === undefined)
    return new FatalError(`There is no product ${productId}.`, { code: "unknown_product" });
  const left =
    row.available === 0
      ? "is sold out"
      : `has only ${row.available} left, and the order asks for ${quantity}`;
  return new FatalError(`${row.name} ${left}.`, { code: "out_of_stock" });
}

/** Writes the row of an order that is paid. For a transaction: it fails for good when the stock is no longer held. */
export function confirm(
  db: Database,
  { orderId, userId, items }: OrderRequest,
  paid: { readonly chargeId: string; readonly at: Date },
): void {
  const held = db
    .prepare<[string], number>("SELECT count(*) FROM reservations WHERE order_id = ?")
    .pluck()
    .get(orderId);
  if (held !== items.length) {
    throw new FatalError("The goods are no longer set aside for this order.", { code: "reservation_lost" });
  }
  db.prepare("INSERT INTO orders VALUES (?, ?, ?, ?, ?)").run(
    orderId,
    userId,
    totalCents(items),
    paid.chargeId,
    paid.at.getTime(),
  );
}
