/**
 * A witness of what step bodies do, beside the journal and beside Stripe: it forgets nothing and joins nothing together, so a
 * body that runs again shows, also where an idempotency key would hide it from Stripe's books.
 *
 * A file that is only ever appended to, one write per line. Lines keep the order in which they were written, by whichever
 * process, and survive that process; and since the write is synchronous, a body inside a database transaction can use it as well.
 */
import { appendFileSync, readFileSync } from "node:fs";
import type { BodyStep } from "../body-step.ts";
import type { Shop } from "../shop.ts";

export interface Effect {
  /**
   * `begin`, `end`: of a body, by the process that runs it. `mark`: somebody has read in the journal that the body's result is
   * there. A `begin` that follows its `mark` is a body that began after its result was journaled, whatever the clocks say.
   */
  readonly event: "begin" | "end" | "mark";
  readonly run: string;
  /** The journal's kind and key, e.g. `step charge-payment`, `undo charge-payment`. */
  readonly entry: string;
  readonly pid: number;
}

export class EffectLedger {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  mark(run: string, entry: string): void {
    this.#append("mark", run, entry);
  }

  /** Notes that a body begins, before it does; and that it ended well. */
  around<T>(run: string, entry: string, body: () => T): T {
    this.#append("begin", run, entry);
    const result = body();
    if (!(result instanceof Promise)) this.#append("end", run, entry);
    return result instanceof Promise ? (this.#endOf(run, entry, result) as T) : result;
  }

  read(): Effect[] {
    const lines = readFileSync(this.#path, { encoding: "utf8", flag: "a+" }).split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Effect);
  }

  async #endOf<T>(run: string, entry: string, body: Promise<T>): Promise<T> {
    const result = await body;
    this.#append("end", run, entry);
    return result;
  }

  #append(event: Effect["event"], run: string, entry: string): void {
    const effect: Effect = { event, run, entry, pid: process.pid };
    appendFileSync(this.#path, `${JSON.stringify(effect)}\n`);
  }
}

/** The same shop, with a witness of each of its bodies. */
export function witnessed(shop: Shop, ledger: EffectLedger): Shop {
  return {
    transaction: (ctx, name, body) =>
      shop.transaction(ctx, name, (tables) => ledger.around(ctx.run.id, `step ${name}`, () => body(tables))),
    release: (orderId) => ledger.around(orderId, "undo release-inventory", () => shop.release(orderId)),
    openPayment: (request, step) =>
      ledger.around(request.orderId, "step open-payment", () => shop.openPayment(request, step)),
    charge: (paymentId, step) =>
      // A payment that takes its time is looked at by other steps later.
      ledger.around(runOf(step), `step ${keyOf(step)}`, () => shop.charge(paymentId, step)),
    giveBack: (paymentId, step) =>
      ledger.around(runOf(step), "undo charge-payment", () => shop.giveBack(paymentId, step)),
    sendConfirmation: (order, step) =>
      ledger.around(runOf(step), "step send-confirmation", () => shop.sendConfirmation(order, step)),
    track: (order, step) => ledger.around(runOf(step), "step track-analytics", () => shop.track(order, step)),
  };
}

/** A step's key begins with its run's id, whose own slashes are escaped, and a slash. */
function runOf({ idempotencyKey }: BodyStep): string {
  return decodeURIComponent(idempotencyKey.slice(0, idempotencyKey.indexOf("/")));
}

/** Behind it comes the step's own, and a count when a person had it done again. */
function keyOf({ idempotencyKey }: BodyStep): string {
  const key = idempotencyKey.slice(idempotencyKey.indexOf("/") + 1);
  return decodeURIComponent(key.replace(/~\d+$/, ""));
}
