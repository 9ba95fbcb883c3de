/** The deploy: a step renamed without its old name, and a version gone. The second version of `diverged` is what came to the rescue. */
import { type Context, workflow } from "@everstep/core";
import { charge } from "./shop-before.ts";

export { declining, doubtful, unheard } from "./shop-before.ts";

const rename = (was: readonly string[]) => async (ctx: Context) => {
  await ctx.step("charge-card", charge, { was: [...was] });
  await ctx.waitForSignal("packed");
  return "shipped";
};

export const versions = [
  workflow({ name: "diverged" }, rename([])),
  workflow({ name: "diverged", version: "2" }, rename(["charge"])),
];

/** Mended: what took the worker with it does so no more. */
export const poison = workflow({ name: "poison" }, async (ctx) => {
  await ctx.step("charge", charge);
  await ctx.step("resize-picture", () => "resized");
  return "shipped";
});

export const orphaned = workflow({ name: "orphaned", version: "2" }, async (ctx) => {
  await ctx.step("charge", charge);
  await ctx.waitForSignal("packed");
  return "shipped";
});
