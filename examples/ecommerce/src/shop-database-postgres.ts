import { transaction } from "@everstep/adapters/postgres";
import type { Context } from "@everstep/core";
import { type ClientBase, Pool } from "pg";
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

/** One transaction, since it is sent as one; the lock makes processes that start at the same time take turns. */
const TABLES = `
  SELECT pg_advisory_xact_lock(hashtext('shop tables'));
  CREATE SCHEMA IF NOT EXISTS shop;
  CREATE TABLE IF NOT EXISTS shop.products (
    product_id text PRIMARY KEY,
    name text NOT NULL
  );
  CREATE TABLE IF NOT EXISTS shop.stock (
    product_id text PRIMARY KEY REFERENCES shop.products,
    received integer NOT NULL,
    available integer NOT NULL CHECK (available BETWEEN 0 AND received)
  );
  CREATE TABLE IF NOT EXISTS shop.reservations (
    order_id text NOT NULL,
    product_id text NOT NULL REFERENCES shop.stock,
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
  );
  CREATE TABLE IF NOT EXISTS shop.orders (
    order_id text PRIMARY KEY,
    user_id text NOT NULL,
    total_cents integer NOT NULL,
    charge_id text NOT NULL UNIQUE,
    completed_at timestamptz NOT NULL
  );
  CREATE TABLE IF NOT EXISTS shop.loyalty_points (
    order_id text PRIMARY KEY,
    user_id text NOT NULL,
    points integer NOT NULL,
    at timestamptz NOT NULL
  );
`;

const ORDERS = `
  SELECT order_id AS "orderId", user_id AS "userId", total_cents AS "totalCents", charge_id AS "chargeId",
    (extract(epoch FROM completed_at) * 1000)::float8 AS "completedAt"
  FROM shop.orders`;
const POINTS = `
  SELECT order_id AS "orderId", user_id AS "userId", points, (extract(epoch FROM at) * 1000)::float8 AS at
  FROM shop.loyalty_points`;
const STOCK = `
  SELECT product_id AS "productId", name, received, available FROM shop.stock JOIN shop.products USING (product_id)`;
const RESERVATIONS = `
  SELECT order_id AS "orderId", product_id AS "productId", quantity FROM shop.reservations`;

/**
 * Many processes reserve and release the same products at once. Whoever will change their rows locks them first, in the order of
 * their ids, so that no two wait for each other; and what he then reads of them is the newest, and stays so until he commits.
 */
const LOCKED = "ORDER BY product_id FOR NO KEY UPDATE OF stock";

const LOOK = `${STOCK} WHERE product_id = ANY($1) ${LOCKED}`;
const TAKE = `
  WITH taken AS (
    UPDATE shop.stock SET available = available - quantity
    FROM unnest($2::text[], $3::integer[]) AS item (product_id, quantity)
    WHERE stock.product_id = item.product_id RETURNING item.*
  )
  INSERT INTO shop.reservations SELECT $1, product_id, quantity FROM taken`;

const GIVE_BACK = `
  WITH released AS (
    DELETE FROM shop.reservations WHERE order_id = $1 RETURNING product_id, quantity
  ), shelf AS (
    SELECT product_id, quantity FROM shop.stock JOIN released USING (product_id) ${LOCKED}
  )
  UPDATE shop.stock SET available = available + quantity FROM shelf WHERE stock.product_id = shelf.product_id`;

const RECEIVE = `
  WITH delivery AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::integer[]) AS product (product_id, name, received)
  ), products AS (
    INSERT INTO shop.products SELECT product_id, name FROM delivery ON CONFLICT DO NOTHING
  )
  INSERT INTO shop.stock SELECT product_id, received, received FROM delivery ON CONFLICT DO NOTHING`;

const CONNECTIONS_MAX = 4;
/** How long a server may say nothing before a query fails, and is tried again: a lost host closes no connection. */
const SILENCE_MS = 30_000;
/** How long a statement of the points may take, the wait for a lock included, before it fails and is tried again. */
const AWARD_PATIENCE = "15s";

/** The shop's tables in a Postgres database, with connections of their own for what is not part of a step's transaction. */
export class PostgresShopDatabase implements ShopDatabase {
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Makes the tables where they are missing. */
  static async open(url: string): Promise<PostgresShopDatabase> {
    const pool = new Pool({
      connectionString: url,
      max: CONNECTIONS_MAX,
      connectionTimeoutMillis: SILENCE_MS,
      query_timeout: SILENCE_MS,
    });
    // A lost connection fails the query that uses it, and the next one gets another. Without listeners it would end the process.
    pool.on("error", () => undefined);
    pool.on("connect", (client) => client.on("error", () => undefined));
    await pool.query(TABLES);
    return new PostgresShopDatabase(pool);
  }

  transaction(ctx: Context, name: string, body: (tables: ShopTables) => void | Promise<void>): Promise<void> {
    return transaction(ctx, name, async (client) => body(new PostgresShopTables(client)));
  }

  async release(orderId: string): Promise<void> {
    const client = await this.#pool.connect();
    let isOver = false;
    try {
      await client.query("BEGIN");
      await client.query(GIVE_BACK, [orderId]);
      // A statement of its own: the one before may have waited for a confirmation, whose row only a later one sees.
      await client.query("DELETE FROM shop.orders WHERE order_id = $1", [orderId]);
      await client.query("COMMIT");
      isOver = true;
    } finally {
      // A connection that is closed rolls back.
      client.release(!isOver);
    }
  }

  async receive(products: readonly Product[]): Promise<void> {
    const columns = (["productId", "name", "received"] as const).map((key) =>
      products.map((row) => row[key]),
    );
    await this.#pool.query(RECEIVE, columns);
  }

  async receipt(orderId: string): Promise<Receipt | undefined> {
    const { rows } = await this.#pool.query<OrderRow>(`${ORDERS} WHERE order_id = $1`, [orderId]);
    return rows[0] && { orderId, chargeId: rows[0].chargeId, status: "completed" };
  }

  async orders(): Promise<readonly OrderRow[]> {
    return (await this.#pool.query<OrderRow>(ORDERS)).rows;
  }

  async points(): Promise<readonly PointsRow[]> {
    return (await this.#pool.query<PointsRow>(POINTS)).rows;
  }

  async stock(): Promise<readonly StockRow[]> {
    return (await this.#pool.query<StockRow>(STOCK)).rows;
  }

  async reservations(): Promise<readonly ReservationRow[]> {
    return (await this.#pool.query<ReservationRow>(RESERVATIONS)).rows;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** Of a connection in a transaction. */
export class PostgresShopTables implements ShopTables {
  readonly #client: ClientBase;

  constructor(client: ClientBase) {
    this.#client = client;
  }

  async reserve({ orderId, items }: OrderRequest): Promise<void> {
    const productIds = items.map(({ productId }) => productId);
    const { rows } = await this.#client.query<StockRow>(LOOK, [productIds]);
    for (const item of items) {
      const row = rows.find(({ productId }) => productId === item.productId);
      if (row === undefined || row.available < item.quantity) throw shortage(item, row);
    }
    await this.#client.query(TAKE, [orderId, productIds, items.map(({ quantity }) => quantity)]);
  }

  async confirm({ orderId, userId, items }: OrderRequest, { chargeId, at }: Paid): Promise<void> {
    // Locked, so that nobody takes them from the order before its row is there.
    const { rowCount } = await this.#client.query(`${RESERVATIONS} WHERE order_id = $1 FOR SHARE`, [orderId]);
    if (rowCount !== items.length) throw reservationLost();
    const row = [orderId, userId, totalCents(items), chargeId, at];
    await this.#client.query("INSERT INTO shop.orders VALUES ($1, $2, $3, $4, $5)", row);
  }

  async award(order: OrderCompleted): Promise<void> {
    await this.#client.query(`SET LOCAL statement_timeout = '${AWARD_PATIENCE}'`);
    const row = [order.orderId, order.userId, pointsFor(order), order.completedAt];
    await this.#client.query(
      "INSERT INTO shop.loyalty_points VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
      row,
    );
  }
}
