import { describe, expect, test } from "vitest";
import { closeBooks } from "../src/books/books.ts";
import type { Effect } from "../src/books/effect-ledger.ts";
import type { Evidence } from "../src/books/evidence.ts";
import type { ViolationKind } from "../src/books/violation.ts";
import type { OrderRequest } from "../src/order-request.ts";
import type { Operation } from "../src/stand-ins/stripe/stripe-account.ts";

function request(orderId: string): OrderRequest {
  const items = [{ productId: "lamp", quantity: 2, price: 500 }];
  return { orderId, userId: "u-1", items, paymentMethodId: "pm_card_visa" };
}

function operation(kind: Operation["kind"], orderId: string, amount: number): Operation {
  return {
    kind,
    orderId,
    intentId: `pi_${orderId}`,
    amount,
    chargeId: kind === "opened" ? null : `ch_${orderId}`,
  };
}

function effect(event: Effect["event"], run: string, entry = "step charge-payment"): Effect {
  return { event, run, entry, pid: 1 };
}

const opened = operation("opened", "good", 1000);
const charged = operation("charged", "good", 1000);

/** One order that was bought, one that was paid and given back, one that was declined: all in order. */
const balanced: Evidence = {
  customers: [
    {
      request: request("good"),
      accepted: true,
      told: [{ status: "completed", chargeId: "ch_good" }],
      mayEnd: ["completed"],
    },
    {
      request: request("back"),
      accepted: true,
      told: [{ status: "canceled" }],
      mayEnd: ["completed", "canceled"],
    },
    { request: request("poor"), accepted: true, told: [{ status: "failed" }], mayEnd: ["failed"] },
    { request: request("mute"), accepted: false, told: [], mayEnd: ["completed"] },
  ],
  answers: [{ about: "nonsense", expected: 422, got: 422 }],
  runs: [
    { id: "good", status: "completed" },
    { id: "back", status: "canceled" },
    { id: "poor", status: "failed" },
  ],
  orders: [{ orderId: "good", userId: "u-1", totalCents: 1000, chargeId: "ch_good", completedAt: 0 }],
  stock: [{ productId: "lamp", name: "Lamp", received: 10, available: 8 }],
  reservations: [{ orderId: "good", productId: "lamp", quantity: 2 }],
  postOrders: [{ orderId: "good", status: "completed" }],
  points: [{ orderId: "good", points: 10 }],
  mails: [{ orderId: "good", messageId: "<good@shop>", deliveries: 3 }],
  warehouse: { orders: 1, cents: 1000, attempts: 5, failedAttempts: 1 },
  stripe: [
    opened,
    charged,
    operation("opened", "back", 1000),
    operation("charged", "back", 1000),
    operation("refunded", "back", 1000),
    operation("opened", "poor", 1000),
    operation("declined", "poor", 0),
  ],
  effects: [
    effect("begin", "good"),
    effect("begin", "good"),
    effect("end", "good"),
    effect("mark", "good"),
    effect("begin", "after-good", "step send-confirmation"),
    effect("begin", "after-good", "step track-analytics"),
    effect("begin", "after-good", "step track-analytics"),
  ],
};

const [good, back, poor] = balanced.customers;
const [row] = balanced.orders;
const [mail] = balanced.mails;
const { warehouse } = balanced;
if (good === undefined || back === undefined || poor === undefined || row === undefined || mail === undefined)
  throw new Error("no evidence");

describe("books in order", () => {
  test("have no violation", () => {
    expect(closeBooks(balanced).violations).toEqual([]);
  });

  test("are summed up", () => {
    expect(closeBooks(balanced).figures).toEqual({
      accepted: 3,
      ended: { completed: 1, failed: 1, canceled: 1 },
      charged: { count: 2, cents: 2000 },
      refunded: { count: 1, cents: 1000 },
      soldCents: 1000,
      stock: { received: 10, available: 8, held: 0, sold: 2 },
      mails: { received: 1, again: 2, tries: 1 },
      points: 10,
      rowsSent: 2,
      bodies: { begun: 5, again: 2 },
    });
  });
});

test("a cancel that comes behind the point of no return leaves an order", () => {
  const late: Evidence = {
    ...balanced,
    runs: [{ id: "good", status: "canceled" }, ...balanced.runs.slice(1)],
  };
  expect(closeBooks(late).violations).toEqual([]);
  const half = closeBooks({ ...late, postOrders: [], points: [], mails: [] }).violations;
  expect(half.map(({ kind }) => kind)).toEqual(["post-order", "lost-mail", "points"]);
});

/** Each one spoils the balanced evidence in one way. */
const spoiled: readonly (readonly [
  what: string,
  change: Partial<Evidence>,
  kind: ViolationKind,
  about: string,
])[] = [
  [
    "an accepted order without a run",
    { runs: [], orders: [], reservations: [], stripe: [], stock: [] },
    "lost-order",
    "good",
  ],
  ["an accepted order that never ends", { runs: [{ id: "good", status: "stuck" }] }, "lost-order", "good"],
  [
    "money that came back because its refund failed",
    { stripe: [...balanced.stripe, operation("refund-failed", "back", 1000)] },
    "ghost-charge",
    "back",
  ],
  [
    "money kept for an order that failed",
    { stripe: [...balanced.stripe, operation("charged", "poor", 1000)] },
    "ghost-charge",
    "poor",
  ],
  [
    "money kept for an order that was canceled",
    { stripe: [operation("charged", "back", 1000)] },
    "ghost-charge",
    "back",
  ],
  [
    "money taken for an order of nobody",
    { stripe: [...balanced.stripe, operation("charged", "alien", 1)] },
    "ghost-charge",
    "alien",
  ],
  ["a second charge", { stripe: [...balanced.stripe, charged] }, "double-charge", "good"],
  [
    "a second charge that was refunded",
    { stripe: [...balanced.stripe, charged, operation("refunded", "good", 1000)] },
    "double-charge",
    "good",
  ],
  [
    "more given back than was paid",
    { stripe: [...balanced.stripe, operation("refunded", "back", 1)] },
    "wrong-charge",
    "back",
  ],
  [
    "a completed order that paid too little",
    { stripe: [operation("charged", "good", 999)] },
    "wrong-charge",
    "good",
  ],
  ["a completed order that nobody paid", { stripe: [opened] }, "wrong-charge", "good"],
  [
    "a completed order that was refunded",
    { stripe: [charged, operation("refunded", "good", 1000)] },
    "wrong-charge",
    "good",
  ],
  ["a charge that Stripe did not make", { orders: [{ ...row, chargeId: "ch_x" }] }, "wrong-charge", "good"],
  [
    "a declined order that completed",
    { customers: [{ ...good, mayEnd: ["failed"] }] },
    "wrong-ending",
    "good",
  ],
  ["a good order that failed", { customers: [{ ...poor, mayEnd: ["completed"] }] }, "wrong-ending", "poor"],
  [
    "an end that changed",
    { customers: [{ ...poor, told: [{ status: "completed", chargeId: "ch_poor" }] }] },
    "broken-word",
    "poor",
  ],
  [
    "two different answers",
    { customers: [{ ...good, told: [...good.told, { status: "failed" }] }] },
    "broken-word",
    "good",
  ],
  [
    "another charge than was told",
    { customers: [{ ...good, told: [{ status: "completed", chargeId: "ch_x" }] }] },
    "broken-word",
    "good",
  ],
  [
    "a conflicting order that was accepted",
    { answers: [{ about: "good", expected: 409, got: 200 }] },
    "wrong-answer",
    "good",
  ],
  ["a completed order without a row", { orders: [], reservations: [] }, "orders-table", "good"],
  [
    "a row of an order that did not complete",
    { runs: [{ id: "good", status: "failed" }] },
    "orders-table",
    "good",
  ],
  ["a row with another total", { orders: [{ ...row, totalCents: 1 }] }, "orders-table", "good"],
  [
    "stock that vanished",
    { stock: [{ productId: "lamp", name: "Lamp", received: 10, available: 7 }] },
    "stock",
    "lamp",
  ],
  [
    "stock still held for an order that failed",
    { reservations: [...balanced.reservations, { orderId: "poor", productId: "lamp", quantity: 1 }] },
    "stock",
    "poor",
  ],
  [
    "other goods than were asked for",
    { reservations: [{ orderId: "good", productId: "lamp", quantity: 1 }] },
    "stock",
    "good",
  ],
  [
    "a body that began after its result was journaled",
    { effects: [...balanced.effects, effect("begin", "good")] },
    "rerun-after-journal",
    "good step charge-payment",
  ],
  [
    "a result without a body",
    { effects: [effect("mark", "good")] },
    "unwitnessed",
    "good step charge-payment",
  ],
  ["an order that nothing follows", { postOrders: [] }, "post-order", "good"],
  [
    "a run after an order that is stuck",
    { postOrders: [{ orderId: "good", status: "stuck" }] },
    "post-order",
    "good",
  ],
  [
    "two runs after one order",
    { postOrders: [...balanced.postOrders, ...balanced.postOrders] },
    "post-order",
    "good",
  ],
  [
    "a run after an order that was canceled",
    { postOrders: [...balanced.postOrders, { orderId: "back", status: "completed" }] },
    "post-order",
    "back",
  ],
  ["an order without a mail", { mails: [] }, "lost-mail", "good"],
  [
    "two mails that don't say that they are the same",
    { mails: [mail, { ...mail, messageId: "<other@shop>" }] },
    "wrong-mail",
    "good",
  ],
  [
    "a mail about an order that was canceled",
    { mails: [mail, { ...mail, orderId: "back" }] },
    "wrong-mail",
    "back",
  ],
  ["an order without points", { points: [] }, "points", "good"],
  ["too few points", { points: [{ orderId: "good", points: 9 }] }, "points", "good"],
  ["points that were booked twice", { points: [...balanced.points, ...balanced.points] }, "points", "good"],
  [
    "points for an order that was canceled",
    { points: [...balanced.points, { orderId: "back", points: 10 }] },
    "points",
    "back",
  ],
  [
    "an order that the warehouse counts twice",
    { warehouse: { ...warehouse, orders: 2 } },
    "warehouse",
    "orders",
  ],
  ["another revenue in the warehouse", { warehouse: { ...warehouse, cents: 999 } }, "warehouse", "revenue"],
];

describe("books out of order are found out:", () => {
  test.for(spoiled)("%s", ([, change, kind, about]) => {
    const { violations } = closeBooks({ ...balanced, ...change });
    expect(violations.map((found) => `${found.kind} ${found.about}`)).toContain(`${kind} ${about}`);
  });

  test("every kind of violation has its case", () => {
    const kinds: Record<ViolationKind, true> = {
      "lost-order": true,
      "ghost-charge": true,
      "double-charge": true,
      "wrong-charge": true,
      "wrong-ending": true,
      "broken-word": true,
      "wrong-answer": true,
      "orders-table": true,
      stock: true,
      "rerun-after-journal": true,
      unwitnessed: true,
      "post-order": true,
      "lost-mail": true,
      "wrong-mail": true,
      points: true,
      warehouse: true,
    };
    expect(new Set(spoiled.map(([, , kind]) => kind))).toEqual(new Set(Object.keys(kinds)));
  });
});
