import { styleText } from "node:util";
import { type Books, closeBooks, type Figures } from "../books/books.ts";
import type { Sum } from "../books/evidence.ts";
import type { ViolationKind } from "../books/violation.ts";
import { dollars } from "../dollars.ts";
import { SLOW_MS, type Tally } from "./course.ts";
import type { Day } from "./day.ts";
import type { Mending } from "./operator.ts";
import { ordersOf, type Plan, type Spell } from "./plan.ts";

export interface Report {
  readonly text: string;
  readonly ok: boolean;
}

/** More are not read. */
const TROUBLES_MAX = 20;
/** With fewer refunds that are to be refused, it may be that each of those orders is canceled before it is charged. */
const REFUSALS_MIN = 3;
/** What the outage of the mail stands for. */
const TWO_HOURS_MS = 2 * 60 * 60 * 1000;

/** The day as a table and a verdict: it is well when the books balance, and when it was as hard as it was planned to be. */
export function reportOf(day: Day, planned: Plan): Report {
  const books = closeBooks(day.evidence);
  const violations = books.violations.map(({ kind, about, what }) => `${kind}: ${about} ${what}`);
  const troubles = [...violations, ...shortcomings(day, books.figures, planned)];
  const rows = rowsOf(day, books).map(([name, ...cells]) => `  ${name.padEnd(8)}  ${cells.join("   ")}`);
  return { text: ["", ...rows, "", verdict(troubles)].join("\n"), ok: troubles.length === 0 };
}

function verdict(troubles: readonly string[]): string {
  if (troubles.length === 0) return styleText("green", "The books balance.");
  const shown = troubles.slice(0, TROUBLES_MAX).map((trouble) => `  ${trouble}`);
  const left = troubles.length - shown.length;
  const rest = left > 0 ? [`  and ${left} more`] : [];
  return [styleText("red", "The books do not balance:"), ...shown, ...rest].join("\n");
}

type Row = readonly [name: string, ...cells: string[]];

function rowsOf(day: Day, { figures, violations }: Books): Row[] {
  const { accepted, ended, charged, refunded, soldCents, stock, mails, points, bodies } = figures;
  const count = (kind: ViolationKind): string =>
    mustBeZero(violations.filter((violation) => violation.kind === kind).length);
  return [
    ...hardships(day),
    [
      "orders",
      `accepted ${accepted}`,
      `completed ${ended.completed}`,
      `failed ${ended.failed}`,
      `canceled ${ended.canceled}`,
      `lost ${count("lost-order")}`,
    ],
    [
      "charges",
      `made ${sum(charged)}`,
      `refunded ${sum(refunded)}`,
      `worth of the orders ${dollars(soldCents)}`,
    ],
    [
      "",
      `ghost charges ${count("ghost-charge")}`,
      `double charges ${count("double-charge")}`,
      `wrong charges ${count("wrong-charge")}`,
    ],
    [
      "stock",
      `received ${stock.received}`,
      `available ${stock.available}`,
      `sold ${stock.sold}`,
      `held ${mustBeZero(stock.held)}`,
    ],
    [
      "mails",
      `received ${mails.received}`,
      `tries ${mails.tries}`,
      `delivered again ${mails.again}`,
      `lost ${count("lost-mail")}`,
    ],
    ["points", `booked ${points.toLocaleString("en-US")}`, `wrong ${count("points")}`],
    ...warehouseRows(day, figures.rowsSent, count("warehouse")),
    [
      "bodies",
      `begun ${bodies.begun}`,
      `begun again after a kill or a failure ${bodies.again}`,
      `begun after their result was journaled ${count("rerun-after-journal")}`,
    ],
  ];
}

/** What the day was like. */
function hardships(day: Day): Row[] {
  const aim = `${day.aimed} aimed between a charge and its journal entry, ${day.kills - day.aimed} at random`;
  const among = day.processes === 1 ? "" : `, among ${day.processes} processes`;
  return [
    ["kills", `${day.kills} × SIGKILL${among}: ${aim}`],
    ["", `orders caught between the two ${day.caught}`, `requests without an answer ${day.unanswered}`],
    ...day.outages.map((spell, index): Row => [index === 0 ? "outages" : "", described(spell, day.hasPipes)]),
    ...stuck(day),
  ];
}

function stuck({ mendings, hasPipes, listed }: Day): Row[] {
  if (mendings.length === 0) return [];
  const orders = mendings.reduce((sum, { runs }) => sum + runs.length, 0);
  const page = hasPipes ? [`listed on the page for operations ${listed}`] : [];
  return [["stuck", `orders ${orders}`, ...page], ...mendings.flatMap(mended)];
}

function mended({ runs, why, command }: Mending): Row[] {
  return [
    ["", `$ everstep why ${runs[0]}`],
    ...wrapped(why).map((line): Row => ["", `  ${line}`]),
    ["", `$ ${command}`],
  ];
}

/** In lines of a hundred characters or, where a word is longer, a little more. */
function wrapped(text: string): readonly string[] {
  return text.match(/\S.{0,98}\S*(?=\s|$)/g) ?? [];
}

function described({ what, fromMs, toMs }: Spell, hasPipes: boolean): string {
  const ms = toMs - fromMs;
  const time = `for ${seconds(ms)}`;
  if (what === "slow-stripe") return `Stripe took ${SLOW_MS} ms for each answer ${time}`;
  if (what === "no-mail")
    return `no mail server ${time}, which stand for two hours (1 : ${Math.round(TWO_HOURS_MS / ms)})`;
  return hasPipes ? `Tinybird refused rows, or took them and did not say so, ${time}` : "Tinybird had none";
}

function warehouseRows({ hasPipes, evidence: { warehouse } }: Day, sent: number, wrong: string): Row[] {
  const { orders, cents, attempts, failedAttempts } = warehouse;
  const rate = `${((100 * failedAttempts) / attempts).toFixed(1)} %`;
  const source = hasPipes
    ? "by the pipes, on ClickHouse"
    : "without ClickHouse: added up by a stand-in that has no pipes";
  return [
    [
      "figures",
      `orders ${orders}, in rows that were sent ${sent} times`,
      `revenue ${dollars(cents)}`,
      `wrong ${wrong}`,
    ],
    ["", `attempts of steps ${attempts}, failed ${rate}`, source],
  ];
}

/** A day on which nothing went wrong proves nothing. */
function shortcomings(day: Day, { accepted, mails, bodies }: Figures, planned: Plan): string[] {
  const orders = ordersOf(planned);
  // One of them hits every process.
  const kills = planned.kills.length + day.processes - 1;
  const faults = orders.flatMap((order) => order.faults);
  const refusals = faults.filter(({ kind }) => kind === "refuse").length;
  const wanted: readonly (readonly [boolean, string])[] = [
    [day.kills === kills, `${day.kills} kills instead of ${kills}`],
    [accepted === orders.length, `only ${accepted} of ${orders.length} orders were accepted`],
    [day.caught > 0, "no kill came between a charge and its journal entry"],
    [bodies.again > 0, "no body was ever interrupted"],
    [mails.tries > mails.received, "no mail met the outage"],
    [refusals < REFUSALS_MIN || day.mendings.length > 0, "no order needed a person"],
    [
      day.exitCodes.every((code) => code === 0),
      `on SIGTERM the service ended with ${day.exitCodes.join(", ")}`,
    ],
  ];
  return wanted.flatMap(([ok, trouble]) => (ok ? [] : [`not the day that was planned: ${trouble}`]));
}

const SPELLS: Readonly<Record<Spell["what"], string>> = {
  "slow-stripe": "Stripe is slow",
  "no-mail": "no mail",
  "troubled-figures": "Tinybird falters",
};

export function progressOf({ sent, ended, kills, caught, spells }: Tally, orders: number): string {
  const width = 20;
  const full = Math.round((width * ended) / orders);
  const bar = "█".repeat(full) + "░".repeat(width - full);
  const counts = `${ended}/${orders} orders, ${sent - ended} under way, ${kills} kills, ${caught} caught`;
  return [`${bar} ${counts}`, ...spells.map((spell) => SPELLS[spell])].join(" · ");
}

function sum({ count, cents }: Sum): string {
  return `${count} for ${dollars(cents)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function mustBeZero(count: number): string {
  return styleText(count === 0 ? "green" : "red", String(count));
}
