import { styleText } from "node:util";
import type { ViolationKind } from "../books/book-checks.ts";
import { type Books, closeBooks, type Figures } from "../books/books.ts";
import type { Sum } from "../books/evidence.ts";
import type { Day, Tally } from "./day.ts";

export interface Planned {
  readonly orders: number;
  readonly kills: number;
}

export interface Report {
  readonly text: string;
  readonly ok: boolean;
}

/** More are not read. */
const TROUBLES_MAX = 20;

/** The day as a table and a verdict: it is well when the books balance, and when it was as hard as it was planned to be. */
export function reportOf(day: Day, planned: Planned): Report {
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
  const { accepted, ended, charged, refunded, soldCents, stock, bodies } = figures;
  const count = (kind: ViolationKind): string =>
    mustBeZero(violations.filter((violation) => violation.kind === kind).length);
  const aim = `${day.aimed} aimed between a charge and its journal entry, ${day.kills - day.aimed} at random`;
  const among = day.processes === 1 ? "" : `, among ${day.processes} processes`;
  return [
    ["kills", `${day.kills} × SIGKILL${among}: ${aim}`],
    ["", `orders caught between the two ${day.caught}`, `requests without an answer ${day.unanswered}`],
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
      "bodies",
      `begun ${bodies.begun}`,
      `begun again after a kill or a failure ${bodies.again}`,
      `begun after their result was journaled ${count("rerun-after-journal")}`,
    ],
  ];
}

/** A day on which nothing went wrong proves nothing. */
function shortcomings(day: Day, { accepted, bodies }: Figures, planned: Planned): string[] {
  // One of them hits every process.
  const kills = planned.kills + day.processes - 1;
  const wanted: readonly (readonly [boolean, string])[] = [
    [day.kills === kills, `${day.kills} kills instead of ${kills}`],
    [accepted === planned.orders, `only ${accepted} of ${planned.orders} orders were accepted`],
    [day.caught > 0, "no kill came between a charge and its journal entry"],
    [bodies.again > 0, "no body was ever interrupted"],
    [
      day.exitCodes.every((code) => code === 0),
      `on SIGTERM the service ended with ${day.exitCodes.join(", ")}`,
    ],
  ];
  return wanted.flatMap(([ok, trouble]) => (ok ? [] : [`not the day that was planned: ${trouble}`]));
}

export function progressOf({ sent, ended, kills, caught }: Tally, planned: Planned): string {
  const width = 20;
  const full = Math.round((width * ended) / planned.orders);
  const bar = "█".repeat(full) + "░".repeat(width - full);
  const orders = `${ended}/${planned.orders} orders, ${sent - ended} under way`;
  return `${bar} ${orders}, ${kills} kills, ${caught} caught`;
}

function sum({ count, cents }: Sum): string {
  return `${count} for ${dollars(cents)}`;
}

function dollars(cents: number): string {
  return (cents / 100).toLocaleString("en-US", { style: "currency", currency: "USD" });
}

function mustBeZero(count: number): string {
  return styleText(count === 0 ? "green" : "red", String(count));
}
