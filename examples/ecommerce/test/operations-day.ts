import type { ShippedEvent, ShippedStepRetried, ShippedStepSettled } from "@everstep/core";
import { chance, type Random, random, whole } from "../src/demo/random.ts";
import { type RunFigure, runFigure } from "../src/run-figures.ts";
import { type OrderFigure, orderFigure } from "../src/tinybird.ts";

export interface Day {
  readonly orders: readonly OrderFigure[];
  readonly events: readonly RunFigure[];
  /** Where it is afternoon. */
  readonly timezoneId: string;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** How long the body of a step takes on a usual day, at least and on average. */
const STEPS: readonly (readonly [workflow: string, step: string, leastMs: number, averageMs: number])[] = [
  ["order", "reserve-inventory", 1, 3],
  ["order", "open-payment", 60, 110],
  ["order", "charge-payment", 180, 420],
  ["order", "confirm-order", 1, 4],
  ["post-order", "send-confirmation", 20, 90],
  ["post-order", "add-loyalty-points", 1, 2],
  ["post-order", "track-analytics", 8, 30],
];

/** A made-up day that ends now, for a picture: quiet at night, busy now, without a mail server for three of its last minutes, and two orders stuck. */
export function madeUpDay(now: number): Day {
  const draw = random(1);
  const orders = times(draw, now).map((at, place) =>
    orderFigure({
      orderId: `order-${4000 + place}`,
      userId: `user-${whole(draw, 1, 900)}`,
      chargeId: `ch-${place}`,
      totalCents: whole(draw, 900, 16_000),
      itemCount: whole(draw, 1, 5),
      completedAt: new Date(at).toISOString(),
    }),
  );
  const recent = orders.filter(({ timestamp }) => Date.parse(`${timestamp}Z`) > now - HOUR);
  const events = recent.flatMap(({ order_id, timestamp }) =>
    eventsOf(draw, { run: order_id, at: Date.parse(`${timestamp}Z`), now }),
  );
  return {
    orders,
    events: [
      ...events.map(runFigure),
      stuckFigure("order-3127", { code: "UNDO_FAILED", at: now - 72 * MINUTE }),
      stuckFigure("order-9032", { at: now - 4 * MINUTE }),
    ],
    timezoneId: afternoonAt(now),
  };
}

export function stuckFigure(run: string, { code = "BUG", at = Date.now() } = {}): RunFigure {
  return runFigure({
    id: `${run}:stuck:1`,
    at: new Date(at).toISOString(),
    run,
    workflow: "order",
    version: "1",
    runAttempt: 1,
    type: "run.stuck",
    code,
    step: null,
  });
}

/** Named as POSIX does: what is east of Greenwich has a minus. */
function afternoonAt(now: number): string {
  const east = ((15 - new Date(now).getUTCHours() + 36) % 24) - 12;
  return `Etc/GMT${east > 0 ? "-" : "+"}${Math.abs(east)}`;
}

/** Now is the busiest time, half a day ago the quietest. Oldest first. */
function times(draw: Random, now: number): number[] {
  return Array.from({ length: 24 * 60 }, (_, minute) => now - minute * MINUTE)
    .flatMap((end) => {
      const busy = 1 + Math.cos(((now - end) / (12 * HOUR)) * Math.PI);
      const expected = 1 + 2.5 * busy;
      return Array.from({ length: whole(draw, 0, Math.round(2 * expected)) }, () => end - draw() * MINUTE);
    })
    .toSorted((one, other) => one - other);
}

function eventsOf(
  draw: Random,
  order: { readonly run: string; readonly at: number; readonly now: number },
): ShippedEvent[] {
  return STEPS.flatMap(([workflow, step, leastMs, averageMs]) => {
    const common = { run: order.run, workflow, version: "1", runAttempt: 1, step, body: "step" } as const;
    const ms = Math.round(leastMs - (averageMs - leastMs) * Math.log(1 - draw()));
    const isOutage =
      step === "send-confirmation" && Math.abs(order.now - order.at - 5.5 * MINUTE) < 1.5 * MINUTE;
    const failures = isOutage ? 3 : Number(chance(draw, 0.012));
    const id = `${order.run}:${workflow}:${step}`;
    const retried = Array.from({ length: failures }, (_, place): ShippedStepRetried => {
      const at = new Date(order.at + (place + 1) * 2_000).toISOString();
      const error = { name: "Error", message: "" };
      return {
        ...common,
        id: `${id}:${place}`,
        at,
        type: "step.retried",
        attempt: place + 1,
        ms,
        nextAt: at,
        error,
      };
    });
    const at = new Date(order.at + failures * 8_000).toISOString();
    const settled: ShippedStepSettled = {
      ...common,
      id,
      at,
      type: "step.settled",
      outcome: "ok",
      attempts: failures + 1,
      ms,
    };
    return [...retried, settled];
  });
}
