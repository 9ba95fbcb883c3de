import { z } from "zod";

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
  orderId: z.string(),
  userId: z.string(),
  chargeId: z.string(),
  totalCents: z.int().min(0),
  itemCount: z.int().min(1),
  completedAt: z.iso.datetime(),
});
