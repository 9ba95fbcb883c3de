import { type Duration, FatalError, type Workflow, workflow } from "@everstep/core";
import { OrderCompleted } from "./order-completed.ts";
import type { Shop } from "./shop.ts";

/**
 * What follows an order: three steps at once, none of which can hurt the order, or keep the others from being done.
 *
 * | step                 | effect                                     | at most | tried again                                      |
 * |----------------------|--------------------------------------------|---------|--------------------------------------------------|
 * | `send-confirmation`  | a mail; sent twice, it says so             | 30 s    | twice within 10 s, then ever slower, without end |
 * | `add-loyalty-points` | the order's points, with the journal entry | 15 s    | within a second, then ever slower, without end   |
 * | `track-analytics`    | a row at Tinybird, counted once            | 10 s    | the same, or when Tinybird says                  |
 *
 * A step that fails for good, such as the mail to an address that does not exist, fails this run, once the others are done.
 */
export function postOrderWorkflow(
  shop: Shop,
  { mailRetryMax = "5m" }: PostOrderOptions = {},
): Workflow<OrderCompleted, void> {
  const on = "order:completed";
  const mailing = { timeout: "30s", retry: { initialDelay: "2s", factor: 4, maxDelay: mailRetryMax } };
  return workflow({ name: "post-order", on, input: OrderCompleted }, async (ctx, order) => {
    // In the order in which they failed, so that a retry, which begins with the first, does all of them again.
    const failures: unknown[] = [];
    const note = (error: unknown): void => void failures.push(error);

    await Promise.all([
      ctx.step("send-confirmation", (step) => shop.sendConfirmation(order, step), mailing).catch(note),
      // Its 15 seconds are the database's to keep.
      shop.transaction(ctx, "add-loyalty-points", (tables) => tables.award(order)).catch(note),
      ctx.step("track-analytics", (step) => shop.track(order, step), { timeout: "10s" }).catch(note),
    ]);

    const [cause] = failures;
    if (cause !== undefined) throw new FatalError(failures.join("; "), { code: "post_order_failed", cause });
  });
}

export interface PostOrderOptions {
  /** The longest wait between two tries of the mail; default 5 m. */
  readonly mailRetryMax?: Duration | undefined;
}
