import type { Database } from "better-sqlite3";
import type { OrderRequest } from "./order-request.ts";
import type { Payments, PaymentStep } from "./payments.ts";
import { confirm, reserve, type ShopDatabase } from "./shop-database.ts";

/** All that an order does to the world. `reserve` and `confirm` do it in the transaction that they are given. */
export interface Shop {
  reserve(db: Database, request: OrderRequest): void;
  openPayment(request: OrderRequest, step: PaymentStep): Promise<string>;
  charge(paymentId: string, step: PaymentStep): Promise<string>;
  giveBack(paymentId: string, step: PaymentStep): Promise<void>;
  confirm(db: Database, request: OrderRequest, paid: { readonly chargeId: string; readonly at: Date }): void;
  release(orderId: string): void;
}

export function openShop(database: ShopDatabase, payments: Payments): Shop {
  return {
    reserve,
    openPayment: (request, step) => payments.open(request, step),
    charge: (paymentId, step) => payments.charge(paymentId, step),
    giveBack: (paymentId, step) => payments.giveBack(paymentId, step),
    confirm,
    release: (orderId) => database.release(orderId),
  };
}
