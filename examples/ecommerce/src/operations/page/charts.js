import { h } from "preact";
import { ChartView } from "./chart.js";
import {
  counted,
  dayAndTime,
  dollars,
  exactTimeOfDay,
  number,
  percent,
  roundDollars,
  timeOfDay,
} from "./wording.js";

/** @import { Reading, Snapshot } from "../figures-feed.ts" */

const HOUR = 3600;

/** @param {Snapshot} snapshot */
export function revenueChart({ revenue, now }) {
  const to = (Math.floor(now / 1000 / HOUR) + 1) * HOUR;
  return h(ChartView, {
    name: "Revenue per hour",
    color: "--revenue",
    // The oldest hour is a part of one.
    from: to - 25 * HOUR,
    to,
    step: HOUR,
    points: revenue.rows.toReversed().map(({ at, usd, orders }) => ({
      at,
      value: usd,
      when: `${dayAndTime(at)}–${timeOfDay(at + HOUR)}`,
      text: `${dollars(usd)}, ${counted(orders, "order")}`,
    })),
    format: roundDollars,
    isWhole: true,
    leastMax: 100,
    empty: emptiness(revenue, "No orders in the last 24 hours"),
  });
}

/** @param {Snapshot} snapshot */
export function orderChart({ orders, now, window }) {
  return h(ChartView, {
    ...lately(now, window),
    name: `Orders every ${window.seconds} seconds`,
    color: "--orders",
    points: orders.rows.map(({ at, orders }) => ({
      at,
      value: orders,
      when: exactTimeOfDay(at),
      text: counted(orders, "order"),
    })),
    format: number,
    isWhole: true,
    leastMax: 4,
    empty: emptiness(orders, `No orders in the last ${window.minutes} minutes`),
  });
}

/** @param {Snapshot} snapshot */
export function failureChart({ attempts, now, window }) {
  return h(ChartView, {
    ...lately(now, window),
    name: `Failed-step rate every ${window.seconds} seconds`,
    color: "--failures",
    points: attempts.rows
      .filter(({ attempts }) => attempts > 0)
      .map(({ at, attempts, failed }) => ({
        at,
        value: failed / attempts,
        when: exactTimeOfDay(at),
        text: `${percent(failed / attempts)}, ${number(failed)} of ${counted(attempts, "attempt")}`,
      })),
    format: percent,
    isWhole: false,
    leastMax: 0.1,
    empty: emptiness(attempts, `No steps in the last ${window.minutes} minutes`),
  });
}

/** Nothing is known of what never came. @param {Reading<unknown>} reading @param {string} words */
const emptiness = ({ age }, words) => (age === null ? "No figures yet" : words);

/** The last minutes by the server's clock, to the end of the interval that is under way. @param {number} now @param {Snapshot["window"]} window */
function lately(now, { minutes, seconds }) {
  const to = (Math.floor(now / 1000 / seconds) + 1) * seconds;
  return { from: to - minutes * 60, to, step: seconds };
}
