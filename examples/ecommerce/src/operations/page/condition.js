import { howLong } from "./wording.js";

/**
 * @import { Figures } from "../figures.ts"
 * @import { Reading, Snapshot } from "../figures-feed.ts"
 * @import { Known } from "./live.js"
 *
 * @typedef {object} Condition How far the page can be believed.
 * @property {"connecting" | "live" | "stale" | "lost"} kind
 * @property {string} title Said aloud when it changes.
 * @property {string} detail
 */

/** A pipe is asked once a second. */
const FRESH_MAX_MS = 5000;

/** @type {readonly (keyof Figures)[]} */
const NAMES = ["revenue", "orders", "attempts", "latencies", "stuck"];

/**
 * How old a figure is that should be fresh; null for one that is, or is on its way. Infinity: it never came.
 *
 * @param {Reading<unknown>} reading @param {Known} known
 */
export function staleness({ age, trouble }, { sinceMs }) {
  if (age === null) return trouble === null ? null : Infinity;
  return trouble === null && age + sinceMs <= FRESH_MAX_MS ? null : age + sinceMs;
}

/** @param {Known} known @returns {Condition} */
export function conditionOf(known) {
  const { snapshot, isConnected } = known;
  if (snapshot === null) return { kind: "connecting", title: "Waiting for the figures", detail: "" };
  const ages = NAMES.map((name) => staleness(snapshot[name], known)).filter((age) => age !== null);
  if (!isConnected) {
    return {
      kind: "lost",
      title: "This page has lost its server and keeps trying",
      detail: ageText([known.sinceMs]).trim(),
    };
  }
  if (ages.length === 0) return { kind: "live", title: "", detail: "" };
  const who = ages.length === NAMES.length ? "The figures don’t answer" : "Some figures don’t answer";
  return { kind: "stale", title: who, detail: `${ageText(ages)}${troubleIn(snapshot)}`.trim() };
}

/** @param {readonly number[]} ages */
function ageText(ages) {
  const known = ages.filter((age) => age !== Infinity);
  const oldest = known.length === 0 ? "" : `What you see is ${howLong(Math.max(...known))} old. `;
  return `${oldest}${known.length === ages.length ? "" : "Some have never come. "}`;
}

/** @param {Snapshot} snapshot */
function troubleIn(snapshot) {
  return NAMES.map((name) => snapshot[name].trouble).find((trouble) => trouble !== null) ?? "";
}
