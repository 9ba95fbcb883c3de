import { expect, test } from "vitest";
import { isPlain } from "../src/demo/fates.ts";
import { makePlan, ordersOf } from "../src/demo/plan.ts";

const size = { orders: 520, kills: 20 };
const plan = makePlan(42, size);

test("the same seed makes the same plan, and another one another", () => {
  expect(makePlan(42, size)).toEqual(plan);
  expect(makePlan(43, size)).not.toEqual(plan);
});

test("every order comes once, whether or not a kill is aimed at it", () => {
  const ids = ordersOf(plan).map(({ request }) => request.orderId);
  expect(ids.toSorted()).toEqual(
    Array.from({ length: 520 }, (_, index) => `order-42-${index + 1}`).toSorted(),
  );
});

test("an hour of a busy day takes a minute, a hundred times as fast as an even one, and has a peak", () => {
  expect(plan.ms / 1000).toBeCloseTo(60, 0);
  const perSecond = Map.groupBy(plan.visits, ({ atMs }) => Math.floor(atMs / 1000));
  const counts = [...perSecond.values()].map(({ length }) => length).toSorted((a, b) => b - a);
  expect(counts[3]).toBeGreaterThan(25);
  expect(counts[10]).toBeLessThan(20);
});

test("every third kill is aimed at a charge, and one takes everything down", () => {
  const targets = plan.kills.flatMap(({ target }) => target ?? []);
  expect(targets).toHaveLength(7);
  for (const { faults } of targets) expect(faults).toMatchObject([{ on: "confirm", kind: "hold-reply" }]);
  expect(plan.kills.filter(({ blackout }) => blackout)).toHaveLength(1);
});

test("each thing that can happen to an order happens to some, and nothing to most", () => {
  const orders = ordersOf(plan);
  const kinds = new Set(orders.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
  const wanted = ["slow", "process", "drop-reply", "rate-limit", "fail-after", "refuse"] as const;
  expect(wanted.filter((kind) => !kinds.has(kind))).toEqual([]);
  expect(new Set(orders.map(({ canceled }) => canceled)).size).toBe(3);
  expect(orders.filter(isPlain).length).toBeGreaterThan(260);
});

test("a short day has the same outages, as parts of it", () => {
  const short = makePlan(42, { orders: 52, kills: 3 });
  const parts = ({ spells, ms }: typeof plan): string[] =>
    spells.map(({ what, fromMs, toMs }) => `${what} ${(fromMs / ms).toFixed(2)} ${(toMs / ms).toFixed(2)}`);
  expect(parts(short)).toEqual(parts(plan));
});
