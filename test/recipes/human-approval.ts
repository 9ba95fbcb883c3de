import { type Context, SignalTimeoutError, type StepContext, type Workflow, workflow } from "@everstep/core";
import { z } from "zod";

const Decision = z.object({ approved: z.boolean(), by: z.string() });
type Decision = z.infer<typeof Decision>;

export interface Refund {
  readonly orderId: string;
  readonly cents: number;
  /** Who is asked, one after the other: the first has a day, then the second is asked as well. */
  readonly approvers: readonly string[];
}

export interface Outside {
  /** Mails the links by which `approver` can decide for this run. */
  ask(approver: string, runId: string, step: StepContext): Promise<void>;
  refund(orderId: string, cents: number, idempotencyKey: string): Promise<void>;
}

export const refundWith = (outside: Outside): Workflow<Refund, string> =>
  workflow({ name: "refund" }, async (ctx, { orderId, cents, approvers }: Refund) => {
    const { approved, by } = await decision(ctx, approvers, outside);
    if (!approved) return `declined by ${by}`;
    await ctx.step("refund", (step) => outside.refund(orderId, cents, step.idempotencyKey));
    return `approved by ${by}`;
  });

async function decision(ctx: Context, approvers: readonly string[], outside: Outside): Promise<Decision> {
  for (const approver of approvers) {
    await ctx.step("ask", (step) => outside.ask(approver, ctx.run.id, step), { key: approver });
    try {
      return await ctx.waitForSignal("decision", { timeout: "1d", schema: Decision });
    } catch (error) {
      if (!(error instanceof SignalTimeoutError)) throw error;
      ctx.tag({ escalated: "yes" }); // found by `everstep list --tag escalated=yes`
    }
  }
  return { approved: false, by: "nobody" };
}

import { jwtVerify, SignJWT } from "jose";

const Choice = z.object({ run: z.string(), approved: z.boolean(), by: z.string() });
type Choice = z.infer<typeof Choice>;

export function linkTo(choice: Choice, secret: Uint8Array): Promise<string> {
  return new SignJWT(choice).setProtectedHeader({ alg: "HS256" }).setExpirationTime("7d").sign(secret);
}

/** Undefined for a link that is forged, changed or too old. */
async function choiceIn(token: string, secret: Uint8Array): Promise<Choice | undefined> {
  try {
    const { payload } = await jwtVerify(token, secret, { algorithms: ["HS256"] });
    return Choice.parse(payload);
  } catch {
    return undefined;
  }
}

import { type Client, RunEndedError } from "@everstep/core";
import type { Express } from "express";

export function withDecisions(app: Express, client: Client, secret: Uint8Array): Express {
  // Scanners of mail follow links: a GET must decide nothing.
  app.get("/decisions/:token", (_, response) => {
    response.send(`<form method="post"><button>Confirm</button></form>`);
  });

  app.post("/decisions/:token", async (request, response) => {
    const choice = await choiceIn(request.params.token, secret);
    if (choice === undefined) {
      response.status(403).send("This link is not valid any more.");
      return;
    }
    const { run, ...decision } = choice;
    try {
      // One id for all answers: the first one counts.
      await client.get(run).signal("decision", decision, { id: "decision" });
      response.send("Thank you. If somebody has decided before you, that holds.");
    } catch (error) {
      if (!(error instanceof RunEndedError)) throw error;
      response.status(410).send("This has been decided.");
    }
  });
  return app;
}
