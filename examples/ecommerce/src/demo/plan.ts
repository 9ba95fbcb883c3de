import type { Ending } from "../books/evidence.ts";
import type { OrderItem, OrderRequest } from "../order-request.ts";
import type { FaultInput } from "../stand-ins/stripe/faults.ts";
import { chance, pick, type Random, random, whole } from "./random.ts";

/** An order, and what its customer and Stripe will do to it. */
export interface PlannedOrder {
  readonly request: OrderRequest;
  readonly mayEnd: readonly Ending[];
  /** Trouble that its payment meets. */
  readonly fault: FaultInput | undefined;
  /** Sent twice at the same time. */
  readonly twice: boolean;
  /** Canceled by the customer as soon as it is accepted. */
  readonly canceled: boolean;
  /** Afterwards somebody sends another order under the same id. */
  readonly impostor: boolean;
}

/** What happens until a process of the service is killed, and started again. */
export interface Round {
  readonly orders: readonly PlannedOrder[];
  /** When: as this order is charged and the process has not heard of it, or some time after so many orders were served. */
  readonly kill: { readonly whenCharged: string } | RandomKill;
}

/** Counted in orders too, since a loaded machine gets nothing done in a few hundred milliseconds. */
export interface RandomKill {
  readonly afterEnded: number;
  readonly afterMs: number;
}

export interface Plan {
  readonly rounds: readonly Round[];
  /**
   * The round in which Stripe forgets all idempotency keys, as it may after 24 hours, and all processes of the service are
   * killed at once.
   */
  readonly blackoutRound: number;
  /** Those that the customers send before the first round: each must be refused with 422. */
  readonly invalid: readonly unknown[];
}

/** Every third kill is aimed between the charge and its journal entry. */
const AIMED_EVERY = 3;

/** The same seed makes the same plan; what the kills hit is up to the clock. */
export function makePlan(seed: number, size: { readonly orders: number; readonly kills: number }): Plan {
  const draw = random(seed);
  const rounds = Array.from({ length: size.kills }, (_, index) => {
    const from = Math.floor((index * size.orders) / size.kills);
    const to = Math.floor(((index + 1) * size.orders) / size.kills);
    const orders = Array.from({ length: to - from }, (_, at) =>
      planOrder(draw, `order-${seed}-${from + at + 1}`),
    );
    return planRound(draw, index, orders);
  });
  return { rounds, blackoutRound: Math.floor(size.kills / 2), invalid: invalidOrders() };
}

function planRound(draw: Random, index: number, orders: readonly PlannedOrder[]): Round {
  const target = orders.find(({ fault, mayEnd }) => fault === undefined && mayEnd.join() === "completed");
  const kill = { afterEnded: whole(draw, 0, 8), afterMs: whole(draw, 20, 400) };
  if (index % AIMED_EVERY !== 0 || target === undefined) return { orders, kill };
  const { orderId } = target.request;
  const held: PlannedOrder = { ...target, fault: { orderId, on: "confirm", kind: "hold-reply" } };
  return { orders: orders.map((order) => (order === target ? held : order)), kill: { whenCharged: orderId } };
}

const DECLINES = [
  "pm_card_visa_chargeDeclined",
  "pm_card_visa_chargeDeclinedInsufficientFunds",
  "pm_card_chargeDeclinedProcessingError",
] as const;

function planOrder(draw: Random, orderId: string): PlannedOrder {
  const request = {
    orderId,
    userId: `user-${whole(draw, 1, 80)}`,
    items: basket(draw),
    paymentMethodId: "pm_card_visa",
  };
  const order: PlannedOrder = {
    request,
    mayEnd: ["completed"],
    fault: undefined,
    twice: chance(draw, 0.1),
    canceled: false,
    impostor: chance(draw, 0.03),
  };
  const fate = draw();
  if (fate < 0.08)
    return { ...order, request: { ...request, paymentMethodId: pick(draw, DECLINES) }, mayEnd: ["failed"] };
  if (fate < 0.13)
    return { ...order, request: { ...request, items: [lastLamp] }, mayEnd: ["completed", "failed"] };
  const slow: FaultInput = { orderId, on: "confirm", kind: "slow", ms: whole(draw, 2_000, 4_000) };
  // The payment is slow, so that the wish to cancel finds the charge under way.
  if (fate < 0.17) return { ...order, canceled: true, fault: slow, mayEnd: ["completed", "canceled"] };
  if (fate < 0.2) return { ...order, fault: slow };
  if (fate < 0.3) return { ...order, fault: trouble(draw, orderId) };
  return order;
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

function invalidOrders(): unknown[] {
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
