/** A run for people: where it is, then all that it did, a line each. */
import { ageText, durationText, instantText } from "../human.ts";
import type { ChildDocument, EntryDocument, ShowDocument } from "../run-document.ts";
import { oneLine } from "../safe-text.ts";
import { errorText } from "./error-text.ts";
import { type Colour, type Screen, statusColour } from "./screen.ts";
import { type Column, table } from "./table.ts";

export function runText(run: ShowDocument, screen: Screen): string {
  const { paint } = screen;
  const status = paint(statusColour(run.status), run.status) + (run.paused === null ? "" : " paused");
  const sections = [
    `${paint("bold", run.id)} ${run.workflow}@${run.version} ${status}\n${factsText(run, screen)}`,
    run.journal.length === 0 ? "" : table(entryColumns(run), run.journal, screen),
    run.retries.length === 0 ? "" : retriesText(run, screen),
    run.children.length === 0 ? "" : `${paint("bold", "CHILDREN")}\n${treeText(run.children, screen)}`,
  ];
  return sections.filter((section) => section !== "").join("\n");
}

/** What there is to say of a run, in pairs: the same on a page. */
export function factsOf(run: ShowDocument, now: number): readonly (readonly [name: string, text: string])[] {
  const { paused, parent, event, stuck, error, startedAt, endedAt } = run;
  const facts: (readonly [string, string | null])[] = [
    ["created", instantText(run.createdAt, now)],
    ["started", startedAt === null ? "not yet" : instantText(startedAt, now)],
    ["ended", endedAt === null ? null : instantText(endedAt, now)],
    [
      "took",
      endedAt === null ? null : durationText(Date.parse(endedAt) - Date.parse(startedAt ?? run.createdAt)),
    ],
    ["taken on", run.attempts < 2 ? null : `${run.attempts} times`],
    ["paused", paused === null ? null : `since ${instantText(paused.at, now)}${orderText(paused)}`],
    ["due", endedAt === null && run.dueAt !== null ? instantText(run.dueAt, now) : null],
    [
      "parent",
      parent === null ? null : `${parent.runId} (${parent.key}${parent.called ? ", waits for it" : ""})`,
    ],
    ["event", event],
    [
      "tags",
      Object.entries(run.tags)
        .map(([name, value]) => `${name}=${value}`)
        .join(" ") || null,
    ],
    ...run.waits.map(
      ({ kind, key, until }) =>
        ["waits", `${kind} ${key}${until === null ? "" : ` until ${instantText(until, now)}`}`] as const,
    ),
    ["stuck", stuck === null ? null : `${stuck.code} since ${instantText(stuck.at, now)}: ${stuck.message}`],
    ["error", error === null ? null : errorText(error)],
    ...run.signals.map(
      ({ name, at }) => ["signal", `${name} since ${ageText(at, now)}, not taken yet`] as const,
    ),
    ["input", payloadText(run, "input")],
    ["result", run.status === "completed" ? payloadText(run, "result") : null],
  ];
  return facts.flatMap(([name, text]) => (text === null ? [] : [[name, text] as const]));
}

function factsText(run: ShowDocument, { now, paint }: Screen): string {
  return factsOf(run, now)
    .map(([name, text]) => {
      const colour = name === "stuck" || name === "error" ? "red" : undefined;
      return `  ${name.padEnd(8)} ${paint(colour, oneLine(text))}\n`;
    })
    .join("");
}

function payloadText(run: ShowDocument, name: "input" | "result"): string {
  if (run.sealed) return "sealed (--codec)";
  return name in run ? JSON.stringify(run[name]) : "hidden (--show-payloads)";
}

function entryColumns(run: ShowDocument): readonly Column<EntryDocument>[] {
  const createdAt = Date.parse(run.createdAt);
  const dim = ({ superseded }: EntryDocument): Colour | undefined => (superseded ? "gray" : undefined);
  return [
    { title: "SEQ", of: ({ seq }) => String(seq), align: "right", colour: dim },
    {
      title: "AT",
      of: ({ at }) => `+${durationText(Date.parse(at) - createdAt)}`,
      align: "right",
      colour: dim,
    },
    { title: "TOOK", of: ({ tookMs }) => durationText(tookMs), align: "right", colour: dim },
    { title: "KIND", of: ({ kind }) => kind, colour: (entry) => dim(entry) ?? kindColour(entry) },
    { title: "KEY", of: keyText, flexible: true, colour: dim },
    {
      title: "OUTCOME",
      of: outcomeText,
      flexible: true,
      colour: (entry) => dim(entry) ?? outcomeColour(entry),
    },
  ];
}

/** An operation's own id says nothing to people. */
export function keyText({ key, order }: EntryDocument): string {
  return order === undefined ? key : "";
}

export function outcomeText(entry: EntryDocument): string {
  const { error, order, superseded, value } = entry;
  const parts = [
    error === null ? "" : errorText(error),
    order === undefined ? "" : factText(order) + orderText(order),
    value === undefined ? "" : JSON.stringify(value),
    superseded ? "(counts no more)" : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function kindColour({ kind, order }: EntryDocument): Colour | undefined {
  if (order !== undefined) return "yellow";
  return kind === "undo" || kind === "unwinding" ? "magenta" : undefined;
}

function outcomeColour({ error, order }: EntryDocument): Colour | undefined {
  if (error !== null) return "red";
  return order === undefined ? undefined : "yellow";
}

/** What was ordered, beside who and why. */
function factText(order: Readonly<Record<string, unknown>>): string {
  const { operation, to, carry: _c, again: _a, by: _b, because: _e, reason: _r, ...rest } = order;
  if (typeof operation === "string") return `${operation}, back to entry ${String(to)}`;
  return Object.entries(to === undefined ? rest : { ...rest, to })
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

function orderText(order: {
  readonly by?: unknown;
  readonly because?: unknown;
  readonly reason?: unknown;
}): string {
  const { by, because, reason } = order;
  const why = because ?? reason;
  return `${typeof by === "string" ? ` by ${by}` : ""}${typeof why === "string" ? `: ${why}` : ""}`;
}

function retriesText({ retries }: ShowDocument, screen: Screen): string {
  return table(
    [
      { title: "RETRYING", of: ({ step }) => step, flexible: true },
      { title: "FAILED", of: ({ failures }) => `${failures}×`, align: "right" },
      {
        title: "NEXT",
        of: ({ nextAt }) => (nextAt === null ? "needs a person" : ageText(nextAt, screen.now)),
      },
      {
        title: "LAST ERROR",
        of: ({ error }) => (error === null ? "" : errorText(error)),
        flexible: true,
        colour: () => "red",
      },
    ],
    retries,
    screen,
  );
}

function treeText(children: readonly ChildDocument[], screen: Screen, indent = "  "): string {
  return children
    .map((child) => {
      const { id, key, workflow, version, status, called } = child;
      const how = called ? "called as" : "started as";
      const line = `${indent}${id} ${workflow}@${version} ${screen.paint(statusColour(status), status)}, ${how} ${key}\n`;
      return oneLine(line).trimEnd() + "\n" + treeText(child.children, screen, `${indent}  `);
    })
    .join("");
}
