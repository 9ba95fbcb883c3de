import { z } from "zod";

/** What a customer asks for. Prices are in cents. */
export interface OrderRequest {
  /** Chosen by the caller. The order's id is the id of its run, so the same order sent twice is one order. */
  readonly orderId: string;
  readonly userId: string;
  readonly items: readonly OrderItem[];
  /** A Stripe payment method, e.g. `pm_card_visa`. */
  readonly paymentMethodId: string;
}

export interface OrderItem {
  readonly productId: string;
  readonly quantity: number;
  /** For one piece, in cents. The caller is believed: where customers call, a shop looks it up instead. */
  readonly price: number;
}

/** What a completed order answers. */
export interface Receipt {
  readonly orderId: string;
  readonly chargeId: string;
  readonly status: "completed";
}

/** What Stripe takes in one charge of a two-decimal currency. */
const CHARGE_MIN_CENTS = 50;
const CHARGE_MAX_CENTS = 99_999_999;
const ITEMS_MAX = 100;
const QUANTITY_MAX = 1_000;

/** Ids travel in URLs and in Stripe's idempotency keys, which hold 255 characters. */
export const Id: z.ZodString = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -");

const item: z.ZodType<OrderItem> = z.strictObject({
  productId: Id,
  quantity: z.int().min(1).max(QUANTITY_MAX),
  price: z.int().min(0).max(CHARGE_MAX_CENTS),
});

export const OrderRequest: z.ZodType<OrderRequest> = z
  .strictObject({
    orderId: Id,
    userId: Id,
    items: z.array(item).min(1).max(ITEMS_MAX),
    paymentMethodId: Id,
  })
  .superRefine(({ items }, check) => {
    if (check.issues.length > 0) return;
    for (const [index, { productId }] of items.entries()) {
      if (items.findIndex((other) => other.productId === productId) < index) {
        check.addIssue({ code: "custom", path: ["items", index, "productId"], message: "is listed twice" });
      }
    }
    // The largest valid list stays far below 2^53, so this sum is exact.
    const total = totalCents(items);
    if (total < CHARGE_MIN_CENTS || total > CHARGE_MAX_CENTS) {
      const message = `come to ${total} cents; an order is between ${CHARGE_MIN_CENTS} and ${CHARGE_MAX_CENTS}`;
      check.addIssue({ code: "custom", path: ["items"], message });
    }
  });

export const Receipt: z.ZodType<Receipt> = z.strictObject({
  orderId: z.string(),
  chargeId: z.string(),
  status: z.literal("completed"),
});

export function totalCents(items: readonly OrderItem[]): number {
  return items.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
}
