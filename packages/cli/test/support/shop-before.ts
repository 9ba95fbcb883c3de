/** What the guided test's shop runs, before the deploy. Each charge goes to the ledger, a line with its idempotency key. */
import { appendFileSync } from "node:fs";
import { type Context, FatalError, type StepContext, workflow } from "@everstep/core";

export function charge({ idempotencyKey }: StepContext): string {
  appendFileSync(process.env["LEDGER"] ?? "", `${idempotencyKey}\n`);
  return `charged ${idempotencyKey}`;
}

/** The worker is gone, from one moment to the next. */
function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable");
}

/** The charge can't be undone: the bank declines the refund. */
export const declining = workflow({ name: "declining" }, async (ctx) => {
  await ctx.step("charge", charge, {
    compensate: () => {
      throw new FatalError("the bank declines the refund");
    },
  });
  await ctx.step("ship", () => {
    throw new FatalError("no such address");
  });
});

/** Somebody is about to rename its step. */
export const diverged = workflow({ name: "diverged" }, async (ctx) => {
  await ctx.step("charge", charge);
  await ctx.waitForSignal("packed");
  return "shipped";
});

/** Its worker dies between the charge and its record. */
export const doubtful = workflow({ name: "doubtful" }, (ctx) =>
  ctx.step(
    "charge",
    (step) => {
      charge(step);
      return die();
    },
    { inDoubt: "stick" },
  ),
);

/** Takes its worker with it, whenever it is tried. */
export const poison = workflow({ name: "poison" }, async (ctx: Context) => {
  await ctx.step("charge", charge);
  await ctx.step("resize-picture", die);
  return "shipped";
});

/** Nobody has told it to go on. */
export const unheard = workflow({ name: "unheard" }, async (ctx) => {
  await ctx.step("charge", charge);
  return ctx.waitForSignal("approval");
});

/** Its version is about to be gone. */
export const orphaned = workflow({ name: "orphaned", version: "1" }, async (ctx) => {
  await ctx.step("charge", charge);
  await ctx.waitForSignal("packed");
  return "shipped";
});
