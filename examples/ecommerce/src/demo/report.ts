import { styleText } from "node:util";
import { type Books, closeBooks } from "../books.ts";
import type { ViolationKind } from "../book-checks.ts";
import type { Sum } from "../evidence.ts";
import type { Day, Tally } from "./day.ts";

export interface Report {
  readonly text: string;
  readonly ok: boolean;
}

/** The day in a table. It is in order when the books balance, and when the day was as hard as it was planned to be. */
export function reportOf(day: Day, planned: { readonly orders: number; readonly kills: number }): Report {
  const books = closeBooks(day.evidence);
  const troubles = [
    ...books.violations.map(({ kind, about, what }) => `${kind}: ${about} ${what}`),
    ...shortcomings(day, planned),
  ];
  const rows = rowsOf(day, books).map(([name, ...cells]) => `  ${name.padEnd(9)} ${cells.join("   ")}`);
  const verdict =
    troubles.length === 0
      ? styleText("green", "The books balance.")
      : [styleText("red", "The books do not balance:"), ...troubles.map((trouble) => `  ${trouble}`)].join(
          "\n",
        );
  return { text: `${["", ...rows, ""].join("\n")}\n${verdict}`, ok: troubles.length === 0 };
}

function rowsOf(day: Day, { figures, violations }: Books): (readonly [string, ...string[]])[] {
  const { ended, stock, bodies } = figures;
  const count = (kind: ViolationKind): string =>
    zero(violations.filter((violation) => violation.kind === kind).length);
  const random = day.kills - day.aimed;
  return [
    ["kills", `${day.kills} × SIGKILL: ${day.aimed} aimed between charge and journal, ${random} at random`],
    [
      "",
      `orders caught between charge and journal ${day.caught}`,
      `requests without an answer ${day.unanswered}`,
    ],
    [
      "orders",
      `accepted ${figures.accepted}`,
      `completed ${ended.completed}`,
      `failed ${ended.failed}`,
      `canceled ${ended.canceled}`,
      `lost ${count("lost-order")}`,
    ],
    [
      "money",
      `charged ${money(figures.charged)}`,
      `refunded ${money(figures.refunded)}`,
      `orders worth ${dollars(figures.soldCents)}`,
    ],
    [
      "charges",
      `ghost ${count("ghost-charge")}`,
      `double ${count("double-charge")}`,
      `wrong ${count("wrong-charge")}`,
    ],
    [
      "stock",
      `received ${stock.received}`,
      `available ${stock.available}`,
      `sold ${stock.sold}`,
      `held ${zero(stock.held)}`,
    ],
    [
      "bodies",
      `begun ${bodies.begun}`,
      `begun again after a failure or a kill ${bodies.again}`,
      `after their result was journaled ${count("rerun-after-journal")}`,
    ],
  ];
}

/** A day on which nothing went wrong proves nothing. */
function shortcomings(day: Day, planned: { readonly orders: number; readonly kills: number }): string[] {
  const { figures } = closeBooks(day.evidence);
  const wanted: readonly (readonly [boolean, string])[] = [
    [day.kills >= planned.kills, `only ${day.kills} of ${planned.kills} kills`],
    [
      figures.accepted === planned.orders,
      `only ${figures.accepted} of ${planned.orders} orders were accepted`,
    ],
    [day.caught > 0, "no kill came between a charge and its journal entry"],
    [figures.bodies.again > 0, "no body was ever interrupted"],
    [day.exitCode === 0, `on SIGTERM the service ended with ${day.exitCode}`],
  ];
  return wanted.flatMap(([ok, trouble]) => (ok ? [] : [`the day proves little: ${trouble}`]));
}

export function progressOf(
  { sent, ended, kills, caught }: Tally,
  planned: { readonly orders: number; readonly kills: number },
): string {
  const width = 24;
  const full = Math.round((width * ended) / planned.orders);
  const bar = "█".repeat(full) + "░".repeat(width - full);
  return `${bar} ${ended}/${planned.orders} orders ended, ${sent - ended} under way, ${kills}/${planned.kills} kills, ${caught} caught between charge and journal`;
}

function money({ count, cents }: Sum): string {
  return `${count} × ${dollars(cents)}`.replace("×", "for");
}

function dollars(cents: number): string {
  return (cents / 100).toLocaleString("en-US", { style: "currency", currency: "USD" });
}

function zero(count: number): string {
  return styleText(count === 0 ? "green" : "red", String(count));
}
