import type { BodyStep } from "./body-step.ts";
import type { Mail } from "./mail.ts";
import type { OrderCompleted } from "./order-completed.ts";
import type { OrderRequest } from "./order-request.ts";
import type { Payments } from "./payments.ts";
import type { ShopDatabase } from "./shop-database.ts";
import { orderFigure, type Tinybird } from "./tinybird.ts";

/** All that an order, and what follows it, does to the world. */
export interface Shop extends Pick<ShopDatabase, "transaction" | "release"> {
  openPayment(request: OrderRequest, step: BodyStep): Promise<string>;
  /** Answers the charge's id, null while it is not known yet how the charge ends. */
  charge(paymentId: string, step: BodyStep): Promise<string | null>;
  giveBack(paymentId: string, step: BodyStep): Promise<void>;
  sendConfirmation(order: OrderCompleted, step: BodyStep): Promise<void>;
  track(order: OrderCompleted, step: BodyStep): Promise<void>;
}

export interface ShopParts {
  readonly database: ShopDatabase;
  readonly payments: Payments;
  readonly mail: Pick<Mail, "confirm">;
  readonly tinybird: Pick<Tinybird, "append">;
}

export function openShop({ database, payments, mail, tinybird }: ShopParts): Shop {
  return {
    transaction: (ctx, name, body) => database.transaction(ctx, name, body),
    release: (orderId) => database.release(orderId),
    openPayment: (request, step) => payments.open(request, step),
    charge: (paymentId, step) => payments.charge(paymentId, step),
    giveBack: (paymentId, step) => payments.giveBack(paymentId, step),
    sendConfirmation: (order, step) => mail.confirm(order, step),
    track: (order, step) => tinybird.append("orders", [orderFigure(order)], step.signal),
  };
}
