/**
 * Closes the books of the shop: records that were kept apart (what customers were told, what the shop's tables say, what Stripe
 * executed, what lies in the mailboxes and in the warehouse, what the witness saw) have to agree. Pure: evidence in, figures and violations out.
 */
import { checks, pieces } from "./book-checks.ts";
import { Accounts, type Ending, type Evidence, type Sum, sumOf } from "./evidence.ts";
import type { ReservationRow } from "../shop-database.ts";
import type { Violation } from "./violation.ts";

export interface Books {
  readonly figures: Figures;
  readonly violations: readonly Violation[];
}

export interface Figures {
  readonly accepted: number;
  readonly ended: Readonly<Record<Ending, number>>;
  readonly charged: Sum;
  readonly refunded: Sum;
  readonly soldCents: number;
  readonly stock: {
    readonly received: number;
    readonly available: number;
    readonly held: number;
    readonly sold: number;
  };
  /** Mails that customers have, how often one of them was delivered again, and how often one was tried to be sent. */
  readonly mails: { readonly received: number; readonly again: number; readonly tries: number };
  readonly points: number;
  /** How often an order's row was sent to the warehouse, which counts each a single time. */
  readonly rowsSent: number;
  /** Bodies begun, and those of them whose body had begun before: it failed, or its process was killed. */
  readonly bodies: { readonly begun: number; readonly again: number };
}

export function closeBooks(evidence: Evidence): Books {
  const accounts = new Accounts(evidence);
  const violations = checks.flatMap((check) => check(evidence, accounts));
  return { figures: figuresOf(evidence, accounts), violations };
}

function figuresOf(
  { customers, orders, stock: products, reservations, points, mails, stripe, effects }: Evidence,
  accounts: Accounts,
): Figures {
  const begins = effects.filter(({ event }) => event === "begin");
  const begun = begins.map(({ run, entry }) => `${run} ${entry}`);
  const times = (step: string): number => begins.filter(({ entry }) => entry === `step ${step}`).length;
  const isSold = ({ orderId }: ReservationRow): boolean => accounts.rows.has(orderId);
  const ended = (ending: Ending): number =>
    [...accounts.status.values()].filter((status) => status === ending).length;
  return {
    accepted: customers.filter(({ accepted }) => accepted).length,
    ended: { completed: ended("completed"), failed: ended("failed"), canceled: ended("canceled") },
    charged: sumOf(stripe.filter(({ kind }) => kind === "charged")),
    refunded: sumOf(stripe.filter(({ kind }) => kind === "refunded")),
    soldCents: orders.reduce((sum, row) => sum + row.totalCents, 0),
    stock: {
      received: products.reduce((sum, { received }) => sum + received, 0),
      available: products.reduce((sum, { available }) => sum + available, 0),
      held: pieces(reservations.filter((row) => !isSold(row))),
      sold: pieces(reservations.filter(isSold)),
    },
    mails: {
      received: mails.length,
      again: mails.reduce((sum, { deliveries }) => sum + deliveries - 1, 0),
      tries: times("send-confirmation"),
    },
    points: points.reduce((sum, row) => sum + row.points, 0),
    rowsSent: times("track-analytics"),
    bodies: { begun: begun.length, again: begun.length - new Set(begun).size },
  };
}
