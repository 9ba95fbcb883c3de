/** A run as one page that needs nothing else: no script, no other file, and nothing in it but text that came from data (S5). */
import { createHash } from "node:crypto";
import { ageText } from "../human.ts";
import type { Remedy } from "../remedies.ts";
import type { ChildDocument, ShowDocument } from "../run-document.ts";
import { errorText } from "./error-text.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { escaped } from "./page-text.ts";
import { timelineHtml } from "./page-timeline.ts";
import { factsOf } from "./timeline.ts";

interface Beside {
  readonly now: number;
  /** Why it does not get on, and what helps. */
  readonly why: string;
  readonly remedies: readonly Remedy[];
}

/** Of a neutralised document. */
export function runPage(run: ShowDocument, { now, why, remedies }: Beside): string {
  const hash = createHash("sha256").update(PAGE_STYLE).digest("base64");
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const sections = [
    header(run, why),
    remediesHtml(remedies),
    facts(run, now),
    retries(run, now),
    timelineHtml(run),
    run.children.length === 0
      ? ""
      : `<h2>Children</h2>\n<div class="card children">${tree(run.children)}</div>`,
    `<footer>Written by everstep at ${escaped(new Date(now).toISOString())}; ages are as of then.</footer>`,
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>${escaped(`${run.id}: ${run.status}`)}</title>
<style>${PAGE_STYLE}</style>
${sections.filter((section) => section !== "").join("\n")}
</html>
`;
}

function header({ id, workflow, version, status, paused, error }: ShowDocument, why: string): string {
  const statusText = paused === null ? status : `${status}, paused`;
  const isBad = status === "stuck" || status === "failed";
  const said = status === "failed" && error !== null ? errorText(error) : why;
  const callout =
    status === "completed" ? "" : `\n<p class="callout${isBad ? " bad" : ""}">${escaped(said)}</p>`;
  return `<header><p>${escaped(`${workflow}, version ${version}`)}</p>
<h1>${escaped(id)}<span class="status ${escaped(status)}">${escaped(statusText)}</span></h1></header>${callout}`;
}

function remediesHtml(remedies: readonly Remedy[]): string {
  if (remedies.length === 0) return "";
  const items = remedies.map(
    ({ command, when }) => `<p>If ${escaped(when)}:<span class="command">${escaped(command)}</span></p>`,
  );
  return `<h2>What helps</h2>\n<div class="card rows">${items.join("\n")}</div>`;
}

/** What the header says, or what needs room of its own. */
const SAID: ReadonlySet<string> = new Set(["stuck", "error"]);
const WIDE: ReadonlySet<string> = new Set(["input", "result"]);

function facts(run: ShowDocument, now: number): string {
  const items = factsOf(run, now)
    .filter(([name]) => !SAID.has(name))
    .map(
      ([name, text]) =>
        `<div${WIDE.has(name) ? ' class="wide"' : ""}><dt>${name}</dt><dd${WIDE.has(name) ? ' class="data"' : ""}>${escaped(text)}</dd></div>`,
    );
  return `<dl class="facts">\n${items.join("\n")}\n</dl>`;
}

function retries({ retries: all }: ShowDocument, now: number): string {
  if (all.length === 0) return "";
  const items = all.map(({ step, failures, nextAt, error }) => {
    const next = nextAt === null ? "tried again when a person says so" : `next try ${ageText(nextAt, now)}`;
    const last = error === null ? "" : `<span class="error">${escaped(errorText(error))}</span>`;
    return `<p><span class="key">${escaped(step)}</span>failed ${failures}×, ${escaped(next)}${last}</p>`;
  });
  return `<h2>Steps that failed so far</h2>\n<div class="card rows">${items.join("\n")}</div>`;
}

function tree(children: readonly ChildDocument[]): string {
  const items = children.map(
    ({ id, key, workflow, version, status, called, children: theirs }) =>
      `<li><span class="key">${escaped(id)}</span>${escaped(`${workflow}@${version}, ${called ? "called" : "started"} as ${key}`)}<span class="status ${escaped(status)}">${escaped(status)}</span>${theirs.length === 0 ? "" : tree(theirs)}</li>`,
  );
  return `<ul>${items.join("")}</ul>`;
}
