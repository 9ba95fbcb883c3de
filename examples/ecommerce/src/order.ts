import { type Workflow, workflow } from "@everstep/core";
import { OrderRequest, Receipt } from "./order-request.ts";
import type { Shop } from "./shop.ts";

/**
 * An order, from the wish to the receipt. Whatever happens to the process, it ends in one of two ways: charged, confirmed and
 * its stock sold; or with a reason, nothing charged (or all of it refunded) and nothing reserved.
 *
 * | step                | effect                                  | undone by                                        |
 * |---------------------|-----------------------------------------|--------------------------------------------------|
 * | `reserve-inventory` | holds the stock, with its journal entry | `release-inventory`                              |
 * | `open-payment`      | a payment at Stripe that moves no money | nothing: it is never charged                     |
 * | `charge-payment`    | charges that payment                    | a refund, or an end to a charge that may yet come |
 * | `confirm-order`     | the order's row, with its journal entry | `release-inventory`                              |
 */
export function orderWorkflow(shop: Shop): Workflow<OrderRequest, Receipt> {
  return workflow({ name: "order", input: OrderRequest, output: Receipt }, async (ctx, request) => {
    const { orderId } = request;

    // Registered before what it undoes: the reservation, and later the order's row.
    ctx.compensate("release-inventory", () => shop.release(orderId));
    await shop.transaction(ctx, "reserve-inventory", (tables) => tables.reserve(request));

    const paymentId = await ctx.step("open-payment", (step) => shop.openPayment(request, step));

    const chargeId = await ctx.step("charge-payment", (step) => shop.charge(paymentId, step), {
      timeout: "30s",
      // A charge in doubt is tried again: it first asks Stripe for the payment, whose id is journaled.
      inDoubt: "rerun",
      compensate: (_, step) => shop.giveBack(paymentId, step),
    });

    const paid = { chargeId, at: ctx.now() };
    await shop.transaction(ctx, "confirm-order", (tables) => tables.confirm(request, paid));

    return { orderId, chargeId, status: "completed" };
  });
}
