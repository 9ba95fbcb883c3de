/**
 * An hour of a busy day, in a minute: who orders what and when, when processes are killed, and what is down meanwhile. The same
 * seed makes the same plan; what the kills hit is up to the clock.
 */
import { invalidOrders, isPlain, type PlannedOrder, planOrder } from "./fates.ts";
import { type Random, random, whole } from "./random.ts";

interface Visit {
  /** After the shop opened. */
  readonly atMs: number;
  readonly order: PlannedOrder;
}

/** A process of the service is killed with SIGKILL, and started again. */
interface PlannedKill {
  readonly atMs: number;
  /** So many orders have ended since the kill before, if that does not take too long. */
  readonly afterEnded: number;
  /** An order that comes just then: it is charged, and the process is killed before it has heard of that. */
  readonly target: PlannedOrder | undefined;
  /** All processes at once; and Stripe forgets all idempotency keys, as it may after 24 hours. */
  readonly blackout: boolean;
}

/** A part of the day in which something outside is not as it should be. */
export interface Spell {
  readonly what: "no-mail" | "slow-stripe" | "troubled-figures";
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Plan {
  readonly ms: number;
  /** In the order of their times, as the kills; without those that a kill is aimed at. */
  readonly visits: readonly Visit[];
  readonly kills: readonly PlannedKill[];
  readonly spells: readonly Spell[];
  /** Those that customers send before all others: each must be refused with 422. */
  readonly invalid: readonly unknown[];
}

/** 5,000 orders a day, a hundred times as fast. */
const ORDERS_PER_SECOND = (5_000 * 100) / 86_400;
const PEAK_PER_SECOND = 40;
/** Of all orders: of 520, 200 come in five seconds. */
const PEAK_SHARE = 200 / 520;
/** Every third kill is aimed between a charge and its journal entry. */
const AIMED_EVERY = 3;

const SPELLS: readonly (readonly [Spell["what"], from: number, to: number])[] = [
  ["slow-stripe", 0.1, 0.28],
  ["no-mail", 0.3, 0.64],
  ["troubled-figures", 0.68, 0.9],
];

/** Of all who come. */
export function ordersOf({ visits, kills }: Pick<Plan, "visits" | "kills">): readonly PlannedOrder[] {
  const targets = kills.flatMap(({ target }) => target ?? []);
  return [...visits.map(({ order }) => order), ...targets];
}

export function makePlan(seed: number, size: { readonly orders: number; readonly kills: number }): Plan {
  const draw = random(seed);
  const { ms, times } = arrivals(draw, size.orders);
  const visits = times.map((atMs, index) => ({ atMs, order: planOrder(draw, `order-${seed}-${index + 1}`) }));
  return {
    ...withKills(draw, { visits, count: size.kills, ms }),
    ms,
    spells: SPELLS.map(([what, from, to]) => ({ what, fromMs: from * ms, toMs: to * ms })),
    invalid: invalidOrders(),
  };
}

/** Even over the day, as people come, and the peak in the middle of its second half. */
function arrivals(draw: Random, count: number): { readonly ms: number; readonly times: readonly number[] } {
  const inPeak = Math.round(count * PEAK_SHARE);
  const calmMs = ((count - inPeak) / ORDERS_PER_SECOND) * 1_000;
  const peakMs = (inPeak / PEAK_PER_SECOND) * 1_000;
  const peakFromMs = 0.7 * calmMs;
  const calm = Array.from({ length: count - inPeak }, () => draw() * calmMs);
  const peak = Array.from({ length: inPeak }, () => peakFromMs + draw() * peakMs);
  const shifted = calm.map((atMs) => (atMs < peakFromMs ? atMs : atMs + peakMs));
  return { ms: calmMs + peakMs, times: [...shifted, ...peak].toSorted((a, b) => a - b) };
}

/** A kill that is aimed takes the first plain order after its time, of which Stripe then holds the answer back. */
function withKills(
  draw: Random,
  { visits, count, ms }: { readonly visits: readonly Visit[]; readonly count: number; readonly ms: number },
): Pick<Plan, "visits" | "kills"> {
  const targets = new Set<PlannedOrder>();
  const kills = Array.from({ length: count }, (_, index): PlannedKill => {
    const killAtMs = ((index + 0.2 + 0.6 * draw()) / count) * ms;
    const isTarget = ({ atMs, order }: Visit): boolean =>
      atMs >= killAtMs && isPlain(order) && !targets.has(order);
    const target = index % AIMED_EVERY === 0 ? visits.find(isTarget)?.order : undefined;
    if (target !== undefined) targets.add(target);
    return {
      atMs: killAtMs,
      afterEnded: whole(draw, 3, 8),
      target: target && withHeldReply(target),
      blackout: index === Math.floor(count / 2),
    };
  });
  return { kills, visits: visits.filter(({ order }) => !targets.has(order)) };
}

function withHeldReply(order: PlannedOrder): PlannedOrder {
  const { orderId } = order.request;
  return { ...order, faults: [{ orderId, on: "confirm", kind: "hold-reply" }] };
}
