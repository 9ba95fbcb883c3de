/**
 * The shop's own tables. They live in the same database as the journal, so that a step of an order and its journal entry can
 * commit together: a SQLite file, or a Postgres database that many processes share.
 *
 * 1. Of each product: received = available + what all reservations hold.
 * 2. A reservation is sold once its order has a row in `orders`; until then it is held.
 * 3. An order gets its points once: they are booked under its id.
 */
import { type Context, FatalError } from "@everstep/core";
import type { OrderCompleted } from "./order-completed.ts";
import type { OrderRequest, Receipt } from "./order-request.ts";

export interface ShopDatabase {
  /**
   * A step that writes into the shop's tables: what `body` writes and its journal entry commit together, or neither does. It is
   * the `transaction` of the database's own adapter, handed those tables instead of a connection.
   */
  transaction(ctx: Context, name: string, body: (tables: ShopTables) => void | Promise<void>): Promise<void>;
  /** Takes an order out of the books: what it holds or has bought is available again. Done twice, it changes nothing. */
  release(orderId: string): Promise<void>;
  /** Products that the shop knows already stay as they are. */
  receive(products: readonly Product[]): Promise<void>;
  /** What a confirmed order answers; undefined when there is no such order, or it is not confirmed. */
  receipt(orderId: string): Promise<Receipt | undefined>;
  orders(): Promise<readonly OrderRow[]>;
  points(): Promise<readonly PointsRow[]>;
  stock(): Promise<readonly StockRow[]>;
  reservations(): Promise<readonly ReservationRow[]>;
  close(): Promise<void>;
}

/** The shop's tables within a transaction: at once on SQLite, whose transactions are synchronous; in time on Postgres. */
export interface ShopTables {
  /** Holds the stock of an order. It fails for good when a product is short, and then nothing is held. */
  reserve(request: OrderRequest): void | Promise<void>;
  /** Writes the row of an order that is paid. It fails for good when the stock is no longer held. */
  confirm(request: OrderRequest, paid: Paid): void | Promise<void>;
  /** Books the customer's points for a completed order, unless it has them: also when a person has the step done again. */
  award(order: OrderCompleted): void | Promise<void>;
}

export interface Paid {
  readonly chargeId: string;
  readonly at: Date;
}

export interface Product {
  readonly productId: string;
  readonly name: string;
  /** Pieces that came in. */
  readonly received: number;
}

export interface StockRow extends Product {
  readonly available: number;
}

export interface ReservationRow {
  readonly orderId: string;
  readonly productId: string;
  readonly quantity: number;
}

export interface OrderRow {
  readonly orderId: string;
  readonly userId: string;
  readonly totalCents: number;
  readonly chargeId: string;
  readonly completedAt: number;
}

export interface PointsRow {
  readonly orderId: string;
  readonly userId: string;
  readonly points: number;
  readonly at: number;
}

/** One for each whole dollar. */
export function pointsFor({ totalCents }: Pick<OrderCompleted, "totalCents">): number {
  return Math.floor(totalCents / 100);
}

/** Why nothing could be held, in words for the customer. `row`: the product's, unless there is no such product. */
export function shortage(
  { productId, quantity }: { readonly productId: string; readonly quantity: number },
  row: StockRow | undefined,
): FatalError {
  if (row === undefined)
    return new FatalError(`There is no product ${productId}.`, { code: "unknown_product" });
  const left =
    row.available === 0
      ? "is sold out"
      : `has only ${row.available} left, and the order asks for ${quantity}`;
  return new FatalError(`${row.name} ${left}.`, { code: "out_of_stock" });
}

export function reservationLost(): FatalError {
  return new FatalError("The goods are no longer set aside for this order.", { code: "reservation_lost" });
}
