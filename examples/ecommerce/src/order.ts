import { type Duration, type Workflow, workflow } from "@everstep/core";
import { orderCompleted } from "./order-completed.ts";
import { OrderRequest, Receipt } from "./order-request.ts";
import type { Shop } from "./shop.ts";

/**
 * An order, from the wish to the receipt. Whatever happens to the process, it ends in one of two ways: charged, confirmed and
 * its stock sold; or with a reason, nothing charged (or all of it refunded) and nothing reserved.
 *
 * | step                | effect                                  | undone by                                         |
 * |---------------------|-----------------------------------------|---------------------------------------------------|
 * | `reserve-inventory` | holds the stock, with its journal entry | `release-inventory`                               |
 * | `open-payment`      | a payment at Stripe that moves no money | nothing: it is never charged                      |
 * | `charge-payment`    | charges that payment                    | a refund, or an end to a charge that may yet come |
 * | `look-at-payment`   | none: for a charge that takes its time  | nothing                                           |
 * | `confirm-order`     | the order's row, with its journal entry | `release-inventory`                               |
 * | `order-confirmed`   | the point of no return                  | nothing, nor is what came before it               |
 * | `order:completed`   | starts what follows an order            | nothing                                           |
 */
export function orderWorkflow(
  shop: Shop,
  { lookAgainAfter = "1m" }: OrderOptions = {},
): Workflow<OrderRequest, Receipt> {
  return workflow({ name: "order", input: OrderRequest, output: Receipt }, async (ctx, request) => {
    const { orderId } = request;

    // Registered before what it undoes: the reservation, and later the order's row.
    ctx.compensate("release-inventory", () => shop.release(orderId));
    await shop.transaction(ctx, "reserve-inventory", (tables) => tables.reserve(request));

    const paymentId = await ctx.step("open-payment", (step) => shop.openPayment(request, step));

    let chargeId = await ctx.step("charge-payment", (step) => shop.charge(paymentId, step), {
      timeout: "3m",
      // A charge in doubt is tried again: it first asks Stripe for the payment, whose id is journaled.
      inDoubt: "rerun",
      compensate: (_, step) => shop.giveBack(paymentId, step),
    });

    // A webhook says when Stripe is done. It is no more than a hint: without one the payment is looked at all the same.
    while (chargeId === null) {
      await ctx.race({
        told: () => ctx.waitForSignal("payment"),
        impatient: () => ctx.sleep("look-again", lookAgainAfter),
      });
      chargeId = await ctx.step("look-at-payment", (step) => shop.charge(paymentId, step), {
        timeout: "3m",
      });
    }

    const paid = { chargeId, at: ctx.now() };
    await shop.transaction(ctx, "confirm-order", (tables) => tables.confirm(request, paid));

    // From here on the order stands: whoever cancels it comes too late.
    await ctx.pivot("order-confirmed");
    await ctx.emit("order:completed", orderCompleted(request, paid), { id: orderId });

    return { orderId, chargeId, status: "completed" };
  });
}

export interface OrderOptions {
  /** How long a payment that Stripe is still at is left alone when no webhook comes; default 1 m. */
  readonly lookAgainAfter?: Duration | undefined;
}
