import type { Ending } from "../books/evidence.ts";
import type { OrderItem, OrderRequest } from "../order-request.ts";
import type { FaultInput } from "../stand-ins/stripe/faults.ts";
import { chance, pick, type Random, whole } from "./random.ts";

/** An order, and what its customer and Stripe will do to it. */
export interface PlannedOrder {
  readonly request: OrderRequest;
  readonly mayEnd: readonly Ending[];
  /** Troubles that its payment meets. */
  readonly faults: readonly FaultInput[];
  /** Sent twice at the same time. */
  readonly twice: boolean;
  /** When the customer changes their mind. */
  readonly canceled: "never" | "when accepted" | "when charged";
  /** Afterwards somebody sends another order under the same id. */
  readonly impostor: boolean;
}

const DECLINES = [
  "pm_card_visa_chargeDeclined",
  "pm_card_visa_chargeDeclinedInsufficientFunds",
  "pm_card_chargeDeclinedProcessingError",
] as const;

export function planOrder(draw: Random, orderId: string): PlannedOrder {
  const request = {
    orderId,
    userId: `user-${whole(draw, 1, 80)}`,
    items: basket(draw),
    paymentMethodId: "pm_card_visa",
  };
  const order: PlannedOrder = {
    request,
    mayEnd: ["completed"],
    faults: [],
    twice: chance(draw, 0.1),
    canceled: "never",
    impostor: chance(draw, 0.03),
  };
  const fate = draw();
  if (fate < 0.08)
    return { ...order, request: { ...request, paymentMethodId: pick(draw, DECLINES) }, mayEnd: ["failed"] };
  if (fate < 0.13)
    return { ...order, request: { ...request, items: [lastLamp] }, mayEnd: ["completed", "failed"] };
  const slow: FaultInput = { orderId, on: "confirm", kind: "slow", ms: whole(draw, 1_000, 2_000) };
  // The payment is slow, so that the wish to cancel finds the charge under way.
  if (fate < 0.15)
    return { ...order, canceled: "when accepted", faults: [slow], mayEnd: ["completed", "canceled"] };
  if (fate < 0.165) return refusedRefund(order);
  if (fate < 0.18) return { ...order, faults: [slow] };
  if (fate < 0.24) {
    // Settled some time after the answer; the webhook says so.
    const ms = whole(draw, 300, 1_500);
    return { ...order, faults: [{ orderId, on: "confirm", kind: "process", ms }] };
  }
  if (fate < 0.34) return { ...order, faults: [trouble(draw, orderId)] };
  return order;
}

/** The customer gets a refund, and the shop's account at Stripe does not cover it until somebody has filled it up. */
function refusedRefund(order: PlannedOrder): PlannedOrder {
  const { orderId } = order.request;
  const held: FaultInput = { orderId, on: "confirm", kind: "hold-reply" };
  const refused: FaultInput = { orderId, on: "refund", kind: "refuse" };
  return {
    ...order,
    canceled: "when charged",
    faults: [held, refused],
    mayEnd: ["completed", "canceled"],
  };
}

/** Nothing out of the ordinary will happen to it. */
export function isPlain({ faults, mayEnd }: PlannedOrder): boolean {
  return faults.length === 0 && mayEnd.join() === "completed";
}

/** Cut twice, since the SDK itself tries a cut connection once more. */
function trouble(draw: Random, orderId: string): FaultInput {
  const kinds = ["drop-reply", "refuse-connection", "rate-limit", "fail", "fail-after"] as const;
  return { orderId, on: pick(draw, ["create", "confirm"] as const), kind: pick(draw, kinds), times: 2 };
}

const PRICES: Readonly<Record<string, number>> = { "desk-lamp": 4_900, mug: 1_250, notebook: 799, tea: 640 };
const lastLamp: OrderItem = { productId: "last-lamp", quantity: 1, price: 2_500 };

function basket(draw: Random): OrderItem[] {
  const wanted = Object.entries(PRICES).filter(() => chance(draw, 0.5));
  const lines = wanted.length === 0 ? [["mug", 1_250] as const] : wanted;
  return lines.map(([productId, price]) => ({ productId, quantity: whole(draw, 1, 4), price }));
}

export function invalidOrders(): unknown[] {
  const good = { orderId: "invalid", userId: "user-1", items: [lastLamp], paymentMethodId: "pm_card_visa" };
  return [
    {},
    { ...good, items: [] },
    { ...good, items: [{ ...lastLamp, quantity: 0 }] },
    { ...good, items: [{ ...lastLamp, price: 0.5 }] },
    { ...good, orderId: "../etc" },
    { ...good, discount: 100 },
  ];
}
