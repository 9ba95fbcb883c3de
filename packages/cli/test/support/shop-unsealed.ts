/** The same workflow, and somebody forgot the codec. */
import { workflow } from "@everstep/core";

export const sealed = workflow({ name: "sealed" }, async (ctx, order: { readonly secret: string }) => {
  await ctx.step("look", () => order.secret);
  await ctx.waitForSignal("go");
});
