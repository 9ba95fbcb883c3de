/** How figures, times and ids are put on the page. Nothing here touches it. */

const US = "en-US";
const dollarsWhole = new Intl.NumberFormat(US, {
  style: "currency",
  currency: "USD",
  maximumFractionDigits: 0,
});
const dollarsExact = new Intl.NumberFormat(US, { style: "currency", currency: "USD" });
const counts = new Intl.NumberFormat(US);
const percents = new Intl.NumberFormat(US, { style: "percent", maximumFractionDigits: 1 });
const seconds = new Intl.NumberFormat(US, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(US, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockExact = new Intl.DateTimeFormat(US, { timeStyle: "medium", hourCycle: "h23" });
const dayAndClock = new Intl.DateTimeFormat(US, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** Cents are noise in a sum of thousands. */
export const dollars = (/** @type {number} */ usd) => (usd >= 1000 ? dollarsWhole : dollarsExact).format(usd);
export const roundDollars = (/** @type {number} */ usd) => dollarsWhole.format(usd);
export const number = (/** @type {number} */ count) => counts.format(count);
export const percent = (/** @type {number} */ share) => percents.format(share);

/** Of seconds since 1970, in the time zone of who looks. */
export const timeOfDay = (/** @type {number} */ at) => clock.format(at * 1000);
export const exactTimeOfDay = (/** @type {number} */ at) => clockExact.format(at * 1000);
export const dayAndTime = (/** @type {number} */ at) => dayAndClock.format(at * 1000);

export const timeZone = () => clock.resolvedOptions().timeZone;

/** @param {number} count @param {string} noun */
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

/** Of a measurement: three digits are enough. */
export function took(/** @type {number} */ ms) {
  if (ms < 1) return "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${seconds.format(ms / 1000)} s` : `${seconds.format(ms / 60_000)} min`;
}

/** Of a wait, in whole units. */
export function howLong(/** @type {number} */ ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** Marks of direction and what can't be seen: they make one id look like another. Control characters are in no id of everstep's. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text from data, with what can't be seen in it made visible. */
export const visible = (/** @type {string} */ text) =>
  text.replace(HIDDEN, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);

/**
 * The command that explains a run, safe to paste into bash or zsh whatever the id holds, and showing all that it holds. None for what
 * can be no id of a run.
 *
 * @param {string} run
 * @returns {string | undefined}
 */
export function whyCommand(run) {
  if (run === "" || /\p{Cc}|\p{Cs}/u.test(run)) return undefined;
  return `everstep why ${run.startsWith("-") ? "-- " : ""}${quoted(run)}`;
}

/** @param {string} text */
function quoted(text) {
  if (/^[\w.:@%+=,/-]+$/.test(text)) return text;
  if (text.search(HIDDEN) === -1) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const escaped = text.replace(/[\\']/g, String.raw`\$&`);
  return `$'${escaped.replace(HIDDEN, (char) => `\\U${(char.codePointAt(0) ?? 0).toString(16).padStart(8, "0")}`)}'`;
}
