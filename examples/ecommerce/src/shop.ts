import type { OrderRequest } from "./order-request.ts";
import type { Payments, PaymentStep } from "./payments.ts";
import type { ShopDatabase } from "./shop-database.ts";

/** All that an order does to the world. */
export interface Shop extends Pick<ShopDatabase, "transaction" | "release"> {
  openPayment(request: OrderRequest, step: PaymentStep): Promise<string>;
  charge(paymentId: string, step: PaymentStep): Promise<string>;
  giveBack(paymentId: string, step: PaymentStep): Promise<void>;
}

export function openShop(database: ShopDatabase, payments: Payments): Shop {
  return {
    transaction: (ctx, name, body) => database.transaction(ctx, name, body),
    release: (orderId) => database.release(orderId),
    openPayment: (request, step) => payments.open(request, step),
    charge: (paymentId, step) => payments.charge(paymentId, step),
    giveBack: (paymentId, step) => payments.giveBack(paymentId, step),
  };
}
