import { type Check, found } from "./violation.ts";

/** Each order that completed has one run that follows it, which completed as well; no other order has any. */
const postOrders: Check = ({ orders, postOrders: runs }, { rows }) => {
  const byOrder = Map.groupBy(runs, ({ orderId }) => orderId);
  return [
    ...orders.flatMap(({ orderId }) => {
      const statuses = (byOrder.get(orderId) ?? []).map(({ status }) => status);
      const said = `is followed by ${statuses.length} runs: ${statuses.join(", ") || "none"}`;
      return found(statuses.join() !== "completed", "post-order", orderId, said);
    }),
    ...[...byOrder.keys()].flatMap((orderId) =>
      found(!rows.has(orderId), "post-order", orderId, "is no order, and is followed by a run"),
    ),
  ];
};

/** A mail may be delivered again, since a mail server can't be asked: then it says by its Message-ID that it is the same. */
const mails: Check = ({ orders, mails: received }, { rows }) => {
  const byOrder = Map.groupBy(received, ({ orderId }) => orderId);
  return [
    ...orders.flatMap(({ orderId }) => {
      const count = new Set(byOrder.get(orderId)?.map(({ messageId }) => messageId)).size;
      return [
        ...found(count === 0, "lost-mail", orderId, "completed, and its customer has no mail"),
        ...found(
          count > 1,
          "wrong-mail",
          orderId,
          `sent ${count} mails that don't say that they are the same`,
        ),
      ];
    }),
    ...[...byOrder.keys()].flatMap((orderId) =>
      found(!rows.has(orderId), "wrong-mail", orderId, "is no order, and its customer has a mail"),
    ),
  ];
};

/** One point per whole dollar, once per order. */
const points: Check = ({ orders, points: booked }, { rows }) => {
  const byOrder = Map.groupBy(booked, ({ orderId }) => orderId);
  return [
    ...orders.flatMap(({ orderId, totalCents }) => {
      const got = (byOrder.get(orderId) ?? []).map((row) => row.points);
      const earned = Math.floor(totalCents / 100);
      const said = `earned ${earned} points, and got ${got.join(" and ") || "none"}`;
      return found(got.join() !== String(earned), "points", orderId, said);
    }),
    ...[...byOrder.keys()].flatMap((orderId) =>
      found(!rows.has(orderId), "points", orderId, "is no order, and has points"),
    ),
  ];
};

const warehouse: Check = ({ orders, warehouse: sums }) => {
  const cents = orders.reduce((sum, { totalCents }) => sum + totalCents, 0);
  return [
    ...found(
      sums.orders !== orders.length,
      "warehouse",
      "orders",
      `are ${sums.orders} in the pipes, and ${orders.length} in the shop`,
    ),
    ...found(
      sums.cents !== cents,
      "warehouse",
      "revenue",
      `is ${sums.cents} cents in the pipes, and ${cents} in the shop`,
    ),
  ];
};

export const postOrderChecks: readonly Check[] = [postOrders, mails, points, warehouse];
