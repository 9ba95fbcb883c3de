import { type Workflow, workflow } from "@everstep/core";
import { z } from "zod";
import { dollars } from "./dollars.ts";
import { Id } from "./order-request.ts";

/** A refund that Stripe had accepted, and could not carry out. */
export interface RefundFailed {
  readonly orderId: string;
  readonly refundId: string;
  readonly paymentId: string;
  readonly cents: number;
  /** In Stripe's words, such as `expired_or_canceled_card`. */
  readonly reason: string;
}

export const RefundFailed: z.ZodType<RefundFailed> = z.strictObject({
  orderId: Id,
  refundId: z.string(),
  paymentId: z.string(),
  cents: z.int().min(0),
  reason: z.string(),
});

/**
 * A refund that failed days after its order had ended. The money is back with the shop, and no program can get it to the customer: Stripe
 * refunds to the card of the payment alone. So this run has one step, that only a person can do, and is stuck at it from the beginning;
 * it is found where all stuck runs are, until somebody has done it and says how:
 *
 *     everstep resolve <run> give-back-otherwise --result '"bank transfer of 3 May"'
 */
export const refundFailed: Workflow<RefundFailed, void> = workflow(
  { name: "refund-failed", input: RefundFailed },
  async (ctx, { orderId, refundId, paymentId, cents, reason }) => {
    const what = `the refund ${refundId} of ${dollars(cents)} for the order ${orderId}, payment ${paymentId}`;
    const askPerson = (): never => {
      throw new Error(
        `Stripe could not carry out ${what} (${reason}): give it to the customer in another way`,
      );
    };
    await ctx.step("give-back-otherwise", askPerson, { retry: { maxAttempts: 1, onExhausted: "stick" } });
  },
);
