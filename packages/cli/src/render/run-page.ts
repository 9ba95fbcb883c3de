/** A run as one page that needs nothing else: no script, no other file, and nothing in it but text that came from data (S5). */
import { createHash } from "node:crypto";
import { durationText } from "../human.ts";
import type { ChildDocument, EntryDocument, ShowDocument } from "../run-document.ts";
import { factsOf, keyText, outcomeText } from "./timeline.ts";

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --dim: #888; --bad: #d33; --good: #2a2; --order: #b80; --bar: #48c; }
body { font: 14px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin-top: 2rem; }
.status { border: 1px solid currentcolor; border-radius: 1rem; padding: 0 .6rem; font-size: .9rem; }
.stuck, .failed, .error { color: var(--bad); } .completed { color: var(--good); } .order { color: var(--order); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--dim); font-weight: normal; } td, th { padding: .2rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.text { overflow-wrap: anywhere; white-space: pre-wrap; max-width: 30rem; } tr.superseded { opacity: .5; text-decoration: line-through; }
svg { width: 12rem; height: .8rem; } svg rect { fill: var(--bar); } .error svg rect { fill: var(--bad); }
footer { margin-top: 2rem; color: var(--dim); }
`;

/** Of a neutralised document. */
export function runPage(run: ShowDocument, now: number): string {
  const hash = createHash("sha256").update(STYLE).digest("base64");
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>${escaped(run.id)}</title>
<style>${STYLE}</style>
<h1>${escaped(run.id)} <span class="status ${escaped(run.status)}">${escaped(run.status)}</span></h1>
<p>${escaped(`${run.workflow}, version ${run.version}`)}</p>
<dl>
${factsOf(run, now)
  .map(
    ([name, text]) =>
      `<dt>${name}</dt><dd${name === "stuck" || name === "error" ? ' class="error"' : ""}>${escaped(text)}</dd>`,
  )
  .join("\n")}
</dl>
${timeline(run)}
${run.children.length === 0 ? "" : `<h2>Children</h2>\n${tree(run.children)}`}
<footer>everstep, ${escaped(new Date(now).toISOString())}</footer>
</html>
`;
}

/** Also in an attribute's value between double quotes. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function timeline(run: ShowDocument): string {
  if (run.journal.length === 0) return "";
  const from = Date.parse(run.createdAt);
  const to = Math.max(from + 1, ...run.journal.map(({ at }) => Date.parse(at)));
  const rows = run.journal.map((entry) => row(entry, { from, to }));
  const head = ["#", "at", "took", "", "kind", "key", "outcome"].map((title) => `<th>${title}</th>`).join("");
  return `<h2>Timeline</h2>\n<table>\n<tr>${head}</tr>\n${rows.join("\n")}\n</table>`;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function row(entry: EntryDocument, { from, to }: Span): string {
  const at = Date.parse(entry.at);
  const left = (1000 * (at - entry.tookMs - from)) / (to - from);
  const width = Math.max(6, (1000 * entry.tookMs) / (to - from));
  const bar = `<svg viewBox="0 0 1000 10" preserveAspectRatio="none"><rect x="${Math.max(0, left).toFixed(1)}" width="${width.toFixed(1)}" height="10"/></svg>`;
  const classes = [
    entry.superseded ? "superseded" : "",
    entry.error === null ? "" : "error",
    entry.order === undefined ? "" : "order",
  ];
  const cells = [
    String(entry.seq),
    `<time datetime="${escaped(entry.at)}" title="${escaped(entry.at)}">+${durationText(at - from)}</time>`,
    durationText(entry.tookMs),
    bar,
    escaped(entry.kind),
  ].map((cell) => `<td>${cell}</td>`);
  const texts = [keyText(entry), outcomeText(entry)].map((text) => `<td class="text">${escaped(text)}</td>`);
  return `<tr class="${classes.join(" ").trim()}">${[...cells, ...texts].join("")}</tr>`;
}

function tree(children: readonly ChildDocument[]): string {
  const items = children.map(
    ({ id, key, workflow, status, children: theirs }) =>
      `<li>${escaped(`${id} (${workflow}, as ${key})`)} <span class="${escaped(status)}">${escaped(status)}</span>${theirs.length === 0 ? "" : tree(theirs)}</li>`,
  );
  return `<ul>${items.join("")}</ul>`;
}
