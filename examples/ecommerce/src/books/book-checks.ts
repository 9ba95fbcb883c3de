import { type Check, found } from "./violation.ts";
import { isEnding } from "./evidence.ts";
import { totalCents } from "../order-request.ts";
import { postOrderChecks } from "./post-order-checks.ts";
import type { ReservationRow } from "../shop-database.ts";

const lostOrders: Check = ({ customers }, { status }) =>
  customers.flatMap(({ accepted, request: { orderId } }) => {
    const now = status.get(orderId);
    return found(
      accepted && !isEnding(now),
      "lost-order",
      orderId,
      `was accepted, and is ${now ?? "unknown"}`,
    );
  });

const charges: Check = (_, accounts) =>
  accounts.paidFor.flatMap((orderId) => {
    const times = accounts.of(orderId, "charged").length;
    const net = accounts.netCents(orderId);
    const isOrder = accounts.rows.has(orderId);
    return [
      ...found(times > 1, "double-charge", orderId, `was charged ${times} times`),
      ...found(!isOrder && net > 0, "ghost-charge", orderId, `paid ${net} cents and has no order`),
      ...found(!isOrder && net < 0, "wrong-charge", orderId, `got ${-net} cents too much back`),
    ];
  });

const endings: Check = ({ customers }, { status }) =>
  customers.flatMap(({ request: { orderId }, mayEnd }) => {
    const end = status.get(orderId);
    const wrong = isEnding(end) && !mayEnd.includes(end);
    return found(
      wrong,
      "wrong-ending",
      orderId,
      `ended ${end}, and should have ended ${mayEnd.join(" or ")}`,
    );
  });

/** What a customer was told stays true. */
const words: Check = ({ customers }, { status, rows }) =>
  customers.flatMap(({ request: { orderId }, told }) => {
    const end = status.get(orderId) ?? "unknown";
    const charge = rows.get(orderId)?.chargeId;
    const broken = told.find((word) => word.status !== end || word.chargeId !== charge);
    const said = `was told ${broken?.status} with charge ${broken?.chargeId ?? "none"}`;
    return found(
      broken !== undefined,
      "broken-word",
      orderId,
      `${said}; it is ${end} with ${charge ?? "none"}`,
    );
  });

/** A refusal is an answer as well. */
const wrongAnswers: Check = ({ answers }) =>
  answers.flatMap(({ about, expected, got }) =>
    found(expected !== got, "wrong-answer", about, `was answered ${got} instead of ${expected}`),
  );

/** A run that completed has its row, */
const missingRows: Check = ({ runs }, { rows }) =>
  runs.flatMap(({ id, status }) =>
    found(status === "completed" && !rows.has(id), "orders-table", id, "completed, and has no row"),
  );

/** and a row is of a run that completed, and says what was asked for and what was paid. */
const wrongRows: Check = ({ orders }, accounts) =>
  orders.flatMap(({ orderId, totalCents: total, chargeId }) => {
    const status = accounts.status.get(orderId) ?? "unknown";
    const asked = totalCents(accounts.items(orderId));
    const net = accounts.netCents(orderId);
    const isCharge = accounts.of(orderId, "charged").some((charge) => charge.chargeId === chargeId);
    return [
      ...found(status !== "completed", "orders-table", orderId, `has a row, and is ${status}`),
      ...found(
        asked !== total,
        "orders-table",
        orderId,
        `has a row of ${total} cents, and asked for ${asked}`,
      ),
      ...found(net !== total, "wrong-charge", orderId, `costs ${total} cents, and paid ${net}`),
      ...found(
        !isCharge,
        "wrong-charge",
        orderId,
        `names charge ${chargeId}, which Stripe did not make for it`,
      ),
    ];
  });

const shelves: Check = ({ reservations, stock }) =>
  stock.flatMap(({ productId, received, available }) => {
    const gone = pieces(reservations.filter((row) => row.productId === productId));
    const sum = `${received} received, ${available} available, ${gone} reserved or sold`;
    return found(received !== available + gone, "stock", productId, sum);
  });

const heldForNothing: Check = ({ reservations }, { rows }) =>
  reservations.flatMap(({ orderId, productId, quantity }) =>
    found(!rows.has(orderId), "stock", orderId, `holds ${quantity} of ${productId}, and is no order`),
  );

const wrongGoods: Check = ({ reservations }, accounts) =>
  [...accounts.rows.keys()].flatMap((orderId) => {
    const sold = goods(reservations.filter((row) => row.orderId === orderId));
    const asked = goods(accounts.items(orderId));
    return found(sold !== asked, "stock", orderId, `was sold ${sold}, and asked for ${asked}`);
  });

/** Invariant I4: no body begins after its result was read in the journal. */
const reruns: Check = ({ effects }) => {
  const marked = new Set<string>();
  return effects.flatMap(({ event, run, entry }) => {
    const body = `${run} ${entry}`;
    if (event === "mark") marked.add(body);
    const again = event === "begin" && marked.has(body);
    return found(again, "rerun-after-journal", body, "began after its result was journaled");
  });
};

/** Invariant I5: what is journaled was done by a body that somebody saw begin. */
const unwitnessed: Check = ({ effects }) => {
  const begun = new Set<string>();
  return effects.flatMap(({ event, run, entry }) => {
    const body = `${run} ${entry}`;
    if (event === "begin") begun.add(body);
    const unseen = event === "mark" && !begun.has(body);
    return found(unseen, "unwitnessed", body, "is journaled, and no body of it ever began");
  });
};

export const checks: readonly Check[] = [
  lostOrders,
  charges,
  endings,
  words,
  wrongAnswers,
  missingRows,
  wrongRows,
  shelves,
  heldForNothing,
  wrongGoods,
  reruns,
  unwitnessed,
  ...postOrderChecks,
];

export function pieces(rows: readonly Pick<ReservationRow, "quantity">[]): number {
  return rows.reduce((sum, { quantity }) => sum + quantity, 0);
}

function goods(lines: readonly Pick<ReservationRow, "productId" | "quantity">[]): string {
  return lines
    .map(({ productId, quantity }) => `${quantity} ${productId}`)
    .toSorted()
    .join(", ");
}
