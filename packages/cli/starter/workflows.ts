import { FatalError, workflow } from "@everstep/core";

export interface OrderRequest {
  readonly orderId: string;
  readonly cents: number;
}

/** An ordinary async function. The result of each step is kept: after a crash it goes on at the step that was interrupted. */
export const order = workflow({ name: "order" }, async (ctx, request: OrderRequest) => {
  await ctx.step("reserve-stock", () => console.log(`${request.orderId}: stock reserved`), {
    compensate: () => console.log(`${request.orderId}: stock released`),
  });

  // Other errors are tried again until they stop; a FatalError is final: what was done before is then undone.
  const chargeId = await ctx.step("charge", ({ idempotencyKey }) => {
    if (request.cents > 100_000)
      throw new FatalError("declined: more than the card's limit", { happened: false });
    console.log(`${request.orderId}: charged ${request.cents} cents (${idempotencyKey})`);
    return `charge-${request.orderId}`;
  });

  // Survives every restart meanwhile.
  await ctx.sleep("cool-down", "2s");
  await ctx.step("send-mail", () => console.log(`${request.orderId}: mail sent`));
  return { orderId: request.orderId, chargeId };
});
