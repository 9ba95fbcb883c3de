import { z } from "zod";
import { Id, type OrderRequest, totalCents } from "./order-request.ts";
import type { Paid } from "./shop-database.ts";

/** The event of a completed order, which starts all that follows it. */
export interface OrderCompleted {
  readonly orderId: string;
  readonly userId: string;
  readonly chargeId: string;
  readonly totalCents: number;
  /** Pieces: the sum of the quantities. */
  readonly itemCount: number;
  /** ISO 8601, journaled by the order: it is the same however often the event is told. */
  readonly completedAt: string;
}

export const OrderCompleted: z.ZodType<OrderCompleted> = z.strictObject({
  orderId: Id,
  // A part of an address of mail.
  userId: Id,
  chargeId: z.string(),
  totalCents: z.int().min(0),
  itemCount: z.int().min(1),
  completedAt: z.iso.datetime(),
});

/** What the event says of an order that is paid and confirmed. */
export function orderCompleted({ orderId, userId, items }: OrderRequest, paid: Paid): OrderCompleted {
  return {
    orderId,
    userId,
    chargeId: paid.chargeId,
    totalCents: totalCents(items),
    itemCount: items.reduce((sum, { quantity }) => sum + quantity, 0),
    completedAt: paid.at.toISOString(),
  };
}
