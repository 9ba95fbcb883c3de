import { type Duration, FatalError, type Workflow, workflow } from "@everstep/core";
import { OrderCompleted } from "./order-completed.ts";
import type { Shop } from "./shop.ts";

/**
 * What follows an order: three steps at once, none of which can hurt the order, or keep the others from being done.
 *
 * | step                 | effect                                   | at most | tried again                                       |
 * |----------------------|------------------------------------------|---------|---------------------------------------------------|
 * | `send-confirmation`  | a mail; if it is sent twice, it says so  | 30 s    | twice within 10 s, then ever slower, without end   |
 * | `add-loyalty-points` | the order's points, with the journal entry | 15 s  | as any step: within seconds, then every minute     |
 * | `track-analytics`    | a row at Tinybird, counted once          | 10 s    | as any step, or when Tinybird says                 |
 *
 * A step that fails for good, such as the mail to an address that does not exist, fails this run, once the others are done.
 */
export function postOrderWorkflow(
  shop: Shop,
  { mailRetryMax = "5m" }: PostOrderOptions = {},
): Workflow<OrderCompleted, void> {
  const on = "order:completed";
  return workflow({ name: "post-order", on, input: OrderCompleted }, async (ctx, order) => {
    const endings = await Promise.allSettled([
      ctx.step("send-confirmation", (step) => shop.sendConfirmation(order, step), {
        timeout: "30s",
        retry: { initialDelay: "2s", factor: 4, maxDelay: mailRetryMax },
      }),
      // Its 15 seconds are the database's to keep.
      shop.transaction(ctx, "add-loyalty-points", (tables) => tables.award(order)),
      ctx.step("track-analytics", (step) => shop.track(order, step), { timeout: "10s" }),
    ]);

    const reasons = endings.flatMap((ending) =>
      ending.status === "rejected" ? [String(ending.reason)] : [],
    );
    if (reasons.length > 0) throw new FatalError(reasons.join("; "), { code: "post_order_failed" });
  });
}

export interface PostOrderOptions {
  /** The longest wait between two tries of the mail; default 5 m. */
  readonly mailRetryMax?: Duration | undefined;
}
