import { failureChart, orderChart, revenueChart } from "./charts.js";
import { conditionOf, staleness } from "./condition.js";
import { html } from "./markup.js";
import { latencyTable, stuckCount, stuckList } from "./lists.js";
import { dollars, exactTimeOfDay, howLong, number, percent, roundDollars, timeZone } from "./wording.js";

/**
 * @import { Snapshot, Reading } from "../figures-feed.ts"
 * @import { Condition } from "./condition.js"
 * @import { Known } from "./live.js"
 */

const HOUR = 3600;

/** @param {Known} known */
export function page(known) {
  const condition = conditionOf(known);
  const { snapshot } = known;
  return html`
    ${header(condition, known)}
    ${banner(condition)}
    ${
      snapshot === null
        ? html`<p class="waiting">The first figures come within a second or two.</p>`
        : html`${tiles(snapshot, known)} ${panels(snapshot, known)}`
    }
    <footer>Read from Tinybird’s pipes once a second. Times are in ${timeZone()}.</footer>
  `;
}

/** Says in a tab of many whether somebody has to look. @param {Known} known */
export function titleOf(known) {
  const stuck = known.snapshot?.stuck.rows ?? [];
  const mark = conditionOf(known).kind === "live" || known.snapshot === null ? "" : "stale · ";
  return `${mark}${stuck.length === 0 ? "" : `(${stuckCount(stuck)}) `}Operations · the shop`;
}

/** @param {Condition} condition @param {Known} known */
function header({ kind }, { snapshot }) {
  const words = { connecting: "connecting", live: "live", stale: "stale", lost: "no connection" };
  const time = snapshot === null ? "" : exactTimeOfDay(snapshot.now / 1000);
  return html`
    <header class="top">
      <div><p class="over">The shop</p><h1>Operations</h1></div>
      <p class=${`pill ${kind}`}><span class="dot" aria-hidden="true"></span>${words[kind]}<time>${time}</time></p>
    </header>
  `;
}

/** The title is a live region and stays the same while the trouble does; the age beside it changes every second. @param {Condition} condition */
function banner({ kind, title, detail }) {
  const isShown = kind === "stale" || kind === "lost";
  return html`
    <div class=${isShown ? "banner" : "aside"}>
      <strong role="status">${isShown ? `${title}.` : ""}</strong> <span>${isShown ? detail : ""}</span>
    </div>
  `;
}

/** @param {Snapshot} snapshot @param {Known} known */
function tiles(snapshot, known) {
  const { revenue, orders, attempts, stuck, now, window } = snapshot;
  const usd = sum(revenue.rows.map((row) => row.usd));
  const placed = sum(revenue.rows.map((row) => row.orders));
  const lately = sum(orders.rows.map((row) => row.orders));
  const tried = sum(attempts.rows.map((row) => row.attempts));
  const failed = sum(attempts.rows.map((row) => row.failed));
  const thisHour = revenue.rows.find(({ at }) => at + HOUR > now / 1000)?.usd ?? 0;
  const longest = Math.min(...stuck.rows.map(({ at }) => at));
  return html`
    <dl class="tiles" aria-label="Now">
      ${tile({ label: "Revenue", value: dollars(usd), note: `last 24 h, ${roundDollars(thisHour)} this hour` }, revenue, known)}
      ${tile({ label: "Orders", value: number(placed), note: `last 24 h, ${number(lately)} in ${window.minutes} min` }, revenue, known)}
      ${tile({ label: "Average order", value: placed === 0 ? "–" : dollars(usd / placed), note: "last 24 h" }, revenue, known)}
      ${tile({ label: "Failed steps", value: tried === 0 ? "–" : percent(failed / tried), note: `${number(failed)} of ${number(tried)} in ${window.minutes} min` }, attempts, known)}
      ${tile(
        {
          label: "Need a person",
          value: stuckCount(stuck.rows),
          note: stuck.rows.length === 0 ? "nothing is stuck" : `longest for ${howLong(now - longest * 1000)}`,
          alarm: stuck.rows.length > 0,
        },
        stuck,
        known,
      )}
    </dl>
  `;
}

/**
 * @param {{ label: string, value: string, note: string, alarm?: boolean }} figure
 * @param {Reading<unknown>} reading @param {Known} known
 */
function tile({ label, value, note, alarm = false }, reading, known) {
  const isKnown = reading.age !== null;
  const classes = ["tile", alarm ? "alarm" : "", staleness(reading, known) === null ? "" : "old"].join(" ");
  return html`
    <div class=${classes}>
      <dt>${label}</dt>
      <dd class="value">${isKnown ? value : "–"}</dd>
      <dd class="note">${isKnown ? note : "no figures yet"}</dd>
    </div>
  `;
}

/** @param {Snapshot} snapshot @param {Known} known */
function panels(snapshot, known) {
  const { revenue, orders, attempts, latencies, stuck, window } = snapshot;
  const lately = `every ${window.seconds} s, last ${window.minutes} minutes`;
  return html`
    ${panel({ title: "Orders that need a person", className: "wide", reading: stuck, known }, stuckList(stuck, snapshot.now))}
    ${panel({ title: "Revenue per hour", unit: "last 24 hours", className: "wide", reading: revenue, known }, revenueChart(snapshot))}
    ${panel({ title: "Orders", unit: lately, reading: orders, known }, orderChart(snapshot))}
    ${panel({ title: "Failed-step rate", unit: lately, reading: attempts, known }, failureChart(snapshot))}
    ${panel({ title: "Step latency", unit: "last hour", className: "wide", reading: latencies, known }, latencyTable(latencies))}
  `;
}

/**
 * @param {{ title: string, unit?: string, className?: string, reading: Reading<unknown>, known: Known }} about
 * @param {unknown} content
 */
function panel({ title, unit = "", className = "", reading, known }, content) {
  const age = staleness(reading, known);
  const badge = age === null ? "" : age === Infinity ? "no answer yet" : `${howLong(age)} old`;
  return html`
    <section class=${`panel ${className} ${age === null ? "" : "old"}`} aria-label=${title}>
      <header><h2>${title}</h2><span class="unit">${unit}</span>${badge === "" ? "" : html`<span class="badge">${badge}</span>`}</header>
      ${content}
    </section>
  `;
}

/** @param {readonly number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}
