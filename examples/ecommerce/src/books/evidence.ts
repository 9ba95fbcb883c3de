import type { RunStatus } from "@everstep/core";
import type { Effect } from "./effect-ledger.ts";
import type { OrderItem, OrderRequest } from "../order-request.ts";
import type { OrderRow, ReservationRow, StockRow } from "../shop-database.ts";
import type { Operation } from "../stand-ins/stripe/stripe-account.ts";

export type Ending = "completed" | "failed" | "canceled";

/** What the service said of an order's end. */
export interface Word {
  readonly status: Ending;
  readonly chargeId?: string | undefined;
}

/** An answer that had to be a certain one: the code of HTTP. */
export interface ExpectedAnswer {
  readonly about: string;
  readonly expected: number;
  readonly got: number;
}

/** An order as its customer knows it. */
export interface CustomerRecord {
  readonly request: OrderRequest;
  /** Whether the service has ever answered that it took the order. Without an answer nobody knows. */
  readonly accepted: boolean;
  /** What the customer was told of its end, each time. */
  readonly told: readonly Word[];
  /** How such an order may end. */
  readonly mayEnd: readonly Ending[];
}

/** The run that an order's event started. */
interface PostOrder {
  readonly orderId: string;
  readonly status: RunStatus;
}

/** What a customer got for an order. */
interface BookedPoints {
  readonly orderId: string;
  readonly points: number;
}

/** A mail in a customer's mailbox. */
export interface ReceivedMail {
  readonly orderId: string;
  readonly messageId: string;
  /** How often the mail server took it: a mail whose acceptance was not heard of is sent again. */
  readonly deliveries: number;
}

/** What the pipes answer, summed up; or what was sent, where there are no pipes. */
export interface WarehouseSums {
  readonly orders: number;
  readonly cents: number;
  /** Of the steps of all runs. */
  readonly attempts: number;
  readonly failedAttempts: number;
}

/** What the records say that were kept apart: by the customers, the shop, Stripe, the mailboxes, the warehouse and the witness. */
export interface Evidence {
  readonly customers: readonly CustomerRecord[];
  readonly answers: readonly ExpectedAnswer[];
  /** Of orders. */
  readonly runs: readonly { readonly id: string; readonly status: RunStatus }[];
  readonly postOrders: readonly PostOrder[];
  readonly orders: readonly OrderRow[];
  readonly stock: readonly StockRow[];
  readonly reservations: readonly ReservationRow[];
  readonly points: readonly BookedPoints[];
  readonly mails: readonly ReceivedMail[];
  readonly warehouse: WarehouseSums;
  readonly stripe: readonly Operation[];
  readonly effects: readonly Effect[];
}

/** The same, order by order. */
export class Accounts {
  /** How it stands. One whose run was canceled behind the point of no return is an order all the same. */
  readonly status: ReadonlyMap<string, RunStatus>;
  readonly rows: ReadonlyMap<string, OrderRow>;
  readonly #requests: ReadonlyMap<string, OrderRequest>;
  readonly #operations: ReadonlyMap<string, readonly Operation[]>;

  constructor({ customers, runs, orders, stripe }: Evidence) {
    const rows = new Map(orders.map((row) => [row.orderId, row]));
    this.rows = rows;
    this.status = new Map(
      runs.map(({ id, status }) => [id, status === "canceled" && rows.has(id) ? "completed" : status]),
    );
    this.#requests = new Map(customers.map(({ request }) => [request.orderId, request]));
    this.#operations = Map.groupBy(stripe, ({ orderId }) => orderId);
  }

  get paidFor(): readonly string[] {
    return [...this.#operations.keys()];
  }

  /** What the customer asked for; nothing when nobody asked. */
  items(orderId: string): readonly OrderItem[] {
    return this.#requests.get(orderId)?.items ?? [];
  }

  of(orderId: string, kind: Operation["kind"]): readonly Operation[] {
    return (this.#operations.get(orderId) ?? []).filter((operation) => operation.kind === kind);
  }

  /** What Stripe keeps of the customer's money. */
  netCents(orderId: string): number {
    const cents = (kind: Operation["kind"]): number => sumOf(this.of(orderId, kind)).cents;
    return cents("charged") - cents("refunded") + cents("refund-failed");
  }
}

export interface Sum {
  readonly count: number;
  readonly cents: number;
}

export function sumOf(operations: readonly Operation[]): Sum {
  return { count: operations.length, cents: operations.reduce((sum, { amount }) => sum + amount, 0) };
}

export function isEnding(status: RunStatus | undefined): status is Ending {
  return status === "completed" || status === "failed" || status === "canceled";
}
