/** A journal as a page draws it: an entry a line, and when it was on a common scale of time. */
import { durationText } from "../human.ts";
import type { EntryDocument, ShowDocument } from "../run-document.ts";
import { escaped, valueHtml } from "./page-text.ts";
import { keyText, outcomeText } from "./timeline.ts";

interface Scale {
  readonly from: number;
  readonly to: number;
}

/** Of a bar's track, in units of its own. */
const WIDTH = 1000;
/** Seen also on a phone. */
const BAR_MIN = 8;
const TICKS = 4;

export function timelineHtml(run: ShowDocument): string {
  if (run.journal.length === 0) return "";
  const from = Date.parse(run.createdAt);
  const scale = { from, to: Math.max(from + 1, ...run.journal.map(({ at }) => Date.parse(at))) };
  return `<h2>Timeline</h2>
${legend(run.journal)}
<div class="card timeline"><table>
<thead><tr><th class="seq">#</th><th class="what">entry</th><th class="bar">${axis(scale)}</th><th class="at">at</th><th class="took">took</th><th class="outcome">outcome</th></tr></thead>
<tbody>
${run.journal.map((entry) => row(entry, scale)).join("\n")}
</tbody>
</table></div>`;
}

function axis({ from, to }: Scale): string {
  const ticks = Array.from({ length: TICKS + 1 }, (_, at) => ((to - from) * at) / TICKS);
  return `<div class="axis">${ticks.map((ms, at) => `<span>${at === 0 ? "0" : `+${durationText(ms)}`}</span>`).join("")}</div>`;
}

type Look = "work" | "wait" | "child" | "undo" | "order" | "good" | "bad";

const LEGEND: readonly (readonly [look: Look, text: string])[] = [
  ["work", "step"],
  ["wait", "wait"],
  ["child", "child"],
  ["undo", "undoing"],
  ["order", "done by a person"],
  ["bad", "failed"],
];

const LOOKS: Readonly<Record<string, Look>> = {
  timer: "wait",
  signal: "wait",
  call: "child",
  child: "child",
  start: "child",
  undo: "undo",
  unwinding: "undo",
};

function lookOf({ kind, key, error, order }: EntryDocument): Look {
  if (order !== undefined) return "order";
  if (kind === "end") return key === "completed" ? "good" : "bad";
  if (error !== null) return "bad";
  return LOOKS[kind] ?? "work";
}

function legend(journal: readonly EntryDocument[]): string {
  const looks = new Set(journal.map(lookOf));
  const there = LEGEND.filter(([look]) => looks.has(look));
  const items = there.map(
    ([look, text]) =>
      `<span class="${look}"><svg viewBox="0 0 1 1" preserveAspectRatio="none"><rect width="1" height="1"/></svg>${text}</span>`,
  );
  return there.length < 2 ? "" : `<div class="legend">${items.join("")}</div>`;
}

function row(entry: EntryDocument, scale: Scale): string {
  const { seq, at, kind, tookMs, superseded } = entry;
  const iso = escaped(at);
  const cells = [
    ["seq", String(seq)],
    ["what", whatHtml(entry)],
    ["bar", bar(entry, scale)],
    ["at", `<time datetime="${iso}" title="${iso}">+${durationText(Date.parse(at) - scale.from)}</time>`],
    ["took", isMoment(entry) ? "" : durationText(tookMs)],
    ["outcome", outcomeHtml(entry)],
  ].map(([name, html]) => `<td class="${name}">${html}</td>`);
  const marks = `${kind === "started" || kind === "call" ? " began" : ""}${superseded ? " superseded" : ""}`;
  return `<tr class="${lookOf(entry)}${marks}">${cells.join("")}</tr>`;
}

/** An operation's own id says nothing to people. */
function whatHtml(entry: EntryDocument): string {
  const key = keyText(entry);
  if (key === "") return `<span class="key">${escaped(entry.kind)}</span>`;
  return `<span class="key">${escaped(key)}</span><span class="kind">${escaped(entry.kind)}</span>`;
}

/** What takes no time of its own. */
function isMoment({ kind, order }: EntryDocument): boolean {
  return order !== undefined || ["started", "call", "end", "unwinding"].includes(kind);
}

function bar(entry: EntryDocument, { from, to }: Scale): string {
  const unit = WIDTH / (to - from);
  const tookMs = isMoment(entry) ? 0 : entry.tookMs;
  const width = Math.min(WIDTH, Math.max(BAR_MIN, tookMs * unit));
  const left = Math.max(0, Math.min(WIDTH - width, (Date.parse(entry.at) - tookMs - from) * unit));
  return `<svg viewBox="0 0 ${WIDTH} 10" preserveAspectRatio="none" aria-hidden="true"><rect x="${left.toFixed(1)}" width="${width.toFixed(1)}" height="10"/></svg>`;
}

function outcomeHtml(entry: EntryDocument): string {
  const { value, ...rest } = entry;
  const text = escaped(outcomeText(rest).trim());
  return value === undefined ? text : `${text} ${valueHtml(JSON.stringify(value))}`.trim();
}
