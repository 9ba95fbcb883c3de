/**
 * Closes the books of the shop: four records that were kept apart (what customers were told, what the shop's tables say, what
 * Stripe executed, what the witness saw) have to agree. Pure: evidence in, figures and violations out.
 */
import type { RunStatus } from "@everstep/core";
import type { Effect } from "./effect-ledger.ts";
import { type OrderRequest, totalCents } from "./order-request.ts";
import type { OrderRow, ReservationRow, StockRow } from "./shop-database.ts";
import type { Operation } from "./simulator/stripe-account.ts";

export type Ending = "completed" | "failed" | "canceled";

/** An order as its customer knows it. */
export interface CustomerRecord {
  readonly request: OrderRequest;
  /** Whether the service has ever answered that it took the order. Without an answer nobody knows. */
  readonly accepted: boolean;
  /** What the customer was told of its end, each time. */
  readonly told: readonly { readonly status: Ending; readonly chargeId?: string | undefined }[];
  /** How such an order may end. */
  readonly mayEnd: readonly Ending[];
}

export interface Evidence {
  readonly customers: readonly CustomerRecord[];
  readonly runs: readonly { readonly id: string; readonly status: RunStatus }[];
  readonly orders: readonly OrderRow[];
  readonly stock: readonly StockRow[];
  readonly reservations: readonly ReservationRow[];
  readonly stripe: readonly Operation[];
  readonly effects: readonly Effect[];
}

export type ViolationKind =
  | "lost-order"
  | "ghost-charge"
  | "double-charge"
  | "wrong-charge"
  | "wrong-ending"
  | "broken-word"
  | "orders-table"
  | "stock"
  | "rerun-after-journal"
  | "unwitnessed";

export interface Violation {
  readonly kind: ViolationKind;
  /** The order, product or step that it is about. */
  readonly about: string;
  readonly what: string;
}

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
  /** Bodies begun, and those of them whose body had begun before: it failed, or its process was killed. */
  readonly bodies: { readonly begun: number; readonly again: number };
}

export interface Sum {
  readonly count: number;
  readonly cents: number;
}

export function closeBooks(evidence: Evidence): Books {
  const ledger = new Ledger(evidence);
  const checks = [lostOrders, charges, endings, words, ordersTable, stock, reruns, unwitnessed];
  return {
    figures: figuresOf(evidence, ledger),
    violations: checks.flatMap((check) => check(evidence, ledger)),
  };
}

/** The evidence, by order. */
class Ledger {
  readonly status: ReadonlyMap<string, RunStatus>;
  readonly rows: ReadonlyMap<string, OrderRow>;
  readonly #operations: ReadonlyMap<string, readonly Operation[]>;

  constructor({ runs, orders, stripe }: Evidence) {
    this.status = new Map(runs.map(({ id, status }) => [id, status]));
    this.rows = new Map(orders.map((row) => [row.orderId, row]));
    this.#operations = Map.groupBy(stripe, ({ orderId }) => orderId);
  }

  get paidFor(): readonly string[] {
    return [...this.#operations.keys()];
  }

  of(orderId: string, kind: Operation["kind"]): readonly Operation[] {
    return (this.#operations.get(orderId) ?? []).filter((operation) => operation.kind === kind);
  }

  /** What Stripe keeps of the customer's money. */
  netCents(orderId: string): number {
    return sumOf(this.of(orderId, "charged")).cents - sumOf(this.of(orderId, "refunded")).cents;
  }
}

type Check = (evidence: Evidence, ledger: Ledger) => Violation[];

const lostOrders: Check = ({ customers }, { status }) =>
  customers.flatMap(({ accepted, request: { orderId } }) => {
    const now = status.get(orderId);
    if (!accepted || isEnding(now)) return [];
    return [
      violation(
        "lost-order",
        orderId,
        now === undefined ? "was accepted, but has no run" : `is still ${now}`,
      ),
    ];
  });

const charges: Check = (_, ledger) =>
  ledger.paidFor.flatMap((orderId) => {
    const charged = ledger.of(orderId, "charged");
    const row = ledger.rows.get(orderId);
    const net = ledger.netCents(orderId);
    const found: Violation[] = [];
    if (charged.length > 1)
      found.push(violation("double-charge", orderId, `was charged ${charged.length} times`));
    if (row === undefined && net > 0)
      found.push(violation("ghost-charge", orderId, `paid ${net} cents and has no order`));
    if (row === undefined && net < 0)
      found.push(violation("wrong-charge", orderId, `got ${-net} cents too much back`));
    return found;
  });

const endings: Check = ({ customers }, { status }) =>
  customers.flatMap(({ request: { orderId }, mayEnd }) => {
    const end = status.get(orderId);
    if (!isEnding(end) || mayEnd.includes(end)) return [];
    return [violation("wrong-ending", orderId, `ended ${end}, and should have ended ${mayEnd.join(" or ")}`)];
  });

/** What a customer was told stays true. */
const words: Check = ({ customers }, { status, rows }) =>
  customers.flatMap(({ request: { orderId }, told }) => {
    const end = status.get(orderId);
    const row = rows.get(orderId);
    const broken = told.filter((word) => word.status !== end || word.chargeId !== row?.chargeId);
    const [first] = broken;
    if (first === undefined) return [];
    const said = `${first.status}, charge ${first.chargeId ?? "none"}`;
    return [
      violation(
        "broken-word",
        orderId,
        `was told ${said}; it is ${end ?? "unknown"}, charge ${row?.chargeId ?? "none"}`,
      ),
    ];
  });

/** An order has a row if, and only if, its run completed; and the row is what was asked for and paid. */
const ordersTable: Check = ({ customers, runs, orders }, ledger) => {
  const requests = new Map(customers.map(({ request }) => [request.orderId, request]));
  const missing = runs
    .filter(({ id, status }) => status === "completed" && !ledger.rows.has(id))
    .map(({ id }) => violation("orders-table", id, "completed, and has no row"));
  const wrong = orders.flatMap(({ orderId, totalCents: total, chargeId }) => {
    const request = requests.get(orderId);
    const found: Violation[] = [];
    if (ledger.status.get(orderId) !== "completed") {
      found.push(
        violation("orders-table", orderId, `has a row, and is ${ledger.status.get(orderId) ?? "unknown"}`),
      );
    }
    if (request !== undefined && totalCents(request.items) !== total) {
      found.push(
        violation(
          "orders-table",
          orderId,
          `has a row of ${total} cents, and asked for ${totalCents(request.items)}`,
        ),
      );
    }
    const net = ledger.netCents(orderId);
    if (net !== total)
      found.push(violation("wrong-charge", orderId, `costs ${total} cents, and paid ${net}`));
    if (!ledger.of(orderId, "charged").some((charge) => charge.chargeId === chargeId)) {
      found.push(
        violation("wrong-charge", orderId, `names charge ${chargeId}, which Stripe did not make for it`),
      );
    }
    return found;
  });
  return [...missing, ...wrong];
};

const stock: Check = ({ customers, reservations, stock: products }, { rows }) => {
  const requests = new Map(customers.map(({ request }) => [request.orderId, request]));
  const balance = products.flatMap(({ productId, received, available }) => {
    const gone = pieces(reservations.filter((row) => row.productId === productId));
    if (received === available + gone) return [];
    return [
      violation("stock", productId, `${received} received, ${available} available, ${gone} reserved or sold`),
    ];
  });
  const held = reservations
    .filter(({ orderId }) => !rows.has(orderId))
    .map(({ orderId, productId, quantity }) =>
      violation("stock", orderId, `holds ${quantity} of ${productId}, and is no order`),
    );
  const wrong = [...rows.keys()].flatMap((orderId) => {
    const sold = reservations.filter((row) => row.orderId === orderId).map(lineOf);
    const asked = (requests.get(orderId)?.items ?? []).map(lineOf);
    if (sold.toSorted().join() === asked.toSorted().join()) return [];
    return [violation("stock", orderId, `was sold ${sold.join()}, and asked for ${asked.join()}`)];
  });
  return [...balance, ...held, ...wrong];
};

/** Invariant I4: nothing begins after its result was read in the journal. */
const reruns: Check = ({ effects }) => {
  const marked = new Set<string>();
  return effects.flatMap(({ event, run, entry }) => {
    const body = `${run} ${entry}`;
    if (event === "mark") marked.add(body);
    return event === "begin" && marked.has(body)
      ? [violation("rerun-after-journal", body, "began after its result was journaled")]
      : [];
  });
};

/** Invariant I5: what is journaled was done by a body that somebody saw begin. */
const unwitnessed: Check = ({ effects }) => {
  const begun = new Set<string>();
  return effects.flatMap(({ event, run, entry }) => {
    const body = `${run} ${entry}`;
    if (event === "begin") begun.add(body);
    return event === "mark" && !begun.has(body)
      ? [violation("unwitnessed", body, "is journaled, and no body of it ever began")]
      : [];
  });
};

function figuresOf(
  { customers, orders, stock: products, reservations, stripe, effects }: Evidence,
  ledger: Ledger,
): Figures {
  const begun = effects.filter(({ event }) => event === "begin").map(({ run, entry }) => `${run} ${entry}`);
  const [sold, held] = partition(reservations, ({ orderId }) => ledger.rows.has(orderId));
  const ended = (ending: Ending): number =>
    [...ledger.status.values()].filter((status) => status === ending).length;
  return {
    accepted: customers.filter(({ accepted }) => accepted).length,
    ended: { completed: ended("completed"), failed: ended("failed"), canceled: ended("canceled") },
    charged: sumOf(stripe.filter(({ kind }) => kind === "charged")),
    refunded: sumOf(stripe.filter(({ kind }) => kind === "refunded")),
    soldCents: orders.reduce((sum, row) => sum + row.totalCents, 0),
    stock: {
      received: products.reduce((sum, { received }) => sum + received, 0),
      available: products.reduce((sum, { available }) => sum + available, 0),
      held: pieces(held),
      sold: pieces(sold),
    },
    bodies: { begun: begun.length, again: begun.length - new Set(begun).size },
  };
}

function isEnding(status: RunStatus | undefined): status is Ending {
  return status === "completed" || status === "failed" || status === "canceled";
}

function violation(kind: ViolationKind, about: string, what: string): Violation {
  return { kind, about, what };
}

function sumOf(operations: readonly Operation[]): Sum {
  return { count: operations.length, cents: operations.reduce((sum, { amount }) => sum + amount, 0) };
}

function pieces(rows: readonly ReservationRow[]): number {
  return rows.reduce((sum, { quantity }) => sum + quantity, 0);
}

function lineOf({ productId, quantity }: { readonly productId: string; readonly quantity: number }): string {
  return `${quantity} ${productId}`;
}

function partition<T>(all: readonly T[], keep: (one: T) => boolean): readonly [T[], T[]] {
  return [all.filter(keep), all.filter((one) => !keep(one))];
}
