import { transaction } from "@everstep/adapters/sqlite";
import { type Workflow, workflow } from "@everstep/core";
import { OrderRequest, Receipt } from "./order-request.ts";
import type { Shop } from "./shop.ts";

/**
 * An order, from the wish to the receipt. Whatever happens to the process, it ends in one of two ways: charged, confirmed and
 * its stock sold; or failed with a reason, nothing charged (or all refunded) and nothing reserved.
 *
 * | step                | effect                                 | undone by                                             |
 * |---------------------|----------------------------------------|-------------------------------------------------------|
 * | `reserve-inventory` | holds the stock, with its journal entry | `release-inventory`                                  |
 * | `open-payment`      | a payment at Stripe that moves no money | (needs none)                                         |
 * | `charge-payment`    | charges that payment                   | a refund; a charge that may still come is made impossible |
 * | `confirm-order`     | the order's row, with its journal entry | `release-inventory`                                  |
 */
export function orderWorkflow(shop: Shop): Workflow<OrderRequest, Receipt> {
  return workflow({ name: "order", input: OrderRequest, output: Receipt }, async (ctx, request) => {
    const { orderId } = request;

    ctx.compensate("release-inventory", () => shop.release(orderId));
    await transaction(ctx, "reserve-inventory", (db) => shop.reserve(db, request));

    const paymentId = await ctx.step("open-payment", (step) => shop.openPayment(request, step));

    const chargeId = await ctx.step("charge-payment", (step) => shop.charge(paymentId, step), {
      timeout: "30s",
      // Nobody may know whether a charge happened: the payment's id is journaled, so Stripe is asked.
      inDoubt: "rerun",
      compensate: (_, step) => shop.giveBack(paymentId, step),
    });

    await transaction(ctx, "confirm-order", (db) => shop.confirm(db, request, { chargeId, at: ctx.now() }));

    return { orderId, chargeId, status: "completed" };
  });
}
