import { workflow } from "@everstep/core";
import { z } from "zod";

export const OrderRequest = z.object({ orderId: z.string().min(1).max(100), sku: z.string().min(1) });

export const order = workflow({ name: "order", input: OrderRequest }, async (ctx, { sku }) => {
  await ctx.step("reserve", () => sku);
  await ctx.sleep("packing", "1s");
  return ctx.step("ship", () => `${sku} is on its way`);
});
