import { FatalError, transactStep } from "@everstep/core";
import type { OrderCompleted } from "../src/order-completed.ts";
import type { Shop } from "../src/shop.ts";

/** A payment: charged once at most, and not once it is canceled, as at Stripe. */
interface Payment {
  charged: boolean;
  refunded: boolean;
  canceled: boolean;
  /** How often it says that it is under way before it is charged. */
  slowness: number;
}

/** The world around the shop, so small that a test can make it anew a thousand times; and honest about what was done to it. */
export class ToyWorld {
  readonly payments: Map<string, Payment> = new Map();
  /** How often each mail was sent, by its key; and each figure, by its order. */
  readonly mails: Map<string, number> = new Map();
  readonly figures: Map<string, number> = new Map();
  readonly #slowness: number;

  constructor({ slowness = 0 }: { readonly slowness?: number } = {}) {
    this.#slowness = slowness;
  }

  /** Opened twice, it is another payment. */
  open(orderId: string): string {
    const id = `${orderId}-${this.payments.size}`;
    this.payments.set(id, { charged: false, refunded: false, canceled: false, slowness: this.#slowness });
    return id;
  }

  charge(paymentId: string): string | null {
    const payment = this.#payment(paymentId);
    if (payment.canceled) throw new FatalError("The payment was canceled.", { happened: false });
    if (payment.slowness > 0) {
      payment.slowness -= 1;
      return null;
    }
    payment.charged = true;
    return `ch-${paymentId}`;
  }

  giveBack(paymentId: string): void {
    const payment = this.#payment(paymentId);
    if (payment.charged) payment.refunded = true;
    else payment.canceled = true;
  }

  send(key: string): void {
    this.mails.set(key, (this.mails.get(key) ?? 0) + 1);
  }

  track({ orderId }: OrderCompleted): void {
    this.figures.set(orderId, (this.figures.get(orderId) ?? 0) + 1);
  }

  /** What is written in a transaction: the journal tells whether it was. */
  write(_step: string): void {}

  /** Payments of the order that its customer has paid and not got back. */
  paid(orderId: string): number {
    return [...this.payments].filter(
      ([id, { charged, refunded }]) => id.startsWith(`${orderId}-`) && charged && !refunded,
    ).length;
  }

  #payment(id: string): Payment {
    const payment = this.payments.get(id);
    if (payment === undefined) throw new Error(`there is no payment ${id}`);
    return payment;
  }
}

export function toyShop(world: ToyWorld): Shop {
  return {
    transaction: (ctx, name) => transactStep(ctx, name, () => world.write(name)),
    release: async () => world.write("release"),
    openPayment: async ({ orderId }) => world.open(orderId),
    charge: async (paymentId) => world.charge(paymentId),
    giveBack: async (paymentId) => world.giveBack(paymentId),
    sendConfirmation: async (_order, { idempotencyKey }) => world.send(idempotencyKey),
    track: async (order) => world.track(order),
  };
}
