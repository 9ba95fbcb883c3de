import { type Client, RunEndedError, RunNotFoundError, StoreUnavailableError } from "@everstep/core";
import express, { type Express, type Request } from "express";
import { Webhook } from "standardwebhooks";
import { z } from "zod";

const ParcelEvent = z.object({ type: z.string(), orderId: z.string() });

export function withParcelWebhooks(app: Express, client: Client, secret: string): Express {
  // Before any express.json(): what is signed are the bytes.
  app.post("/webhooks/parcels", express.raw({ type: "*/*" }), async (request, response) => {
    const event = verified(request, secret);
    if (event === undefined) response.sendStatus(400);
    else response.sendStatus(await handOver(client, event, request.header("webhook-id") ?? ""));
  });
  return app;
}

/** Undefined when it is not signed with the secret, or older than five minutes. */
function verified(request: Request, secret: string): unknown {
  try {
    return new Webhook(secret).verify(request.body as Buffer, request.headers as Record<string, string>);
  } catch {
    return undefined;
  }
}

/** The status to answer: 2xx ends it, anything else has it sent again. */
async function handOver(client: Client, event: unknown, id: string): Promise<number> {
  const parcel = ParcelEvent.safeParse(event);
  if (!parcel.success) return 204; // a kind of event that this program does not know
  const { type, orderId } = parcel.data;
  try {
    await client.get(orderId).signal("parcel", { type }, { id });
    return 204;
  } catch (error) {
    if (error instanceof RunEndedError) return 204; // nobody waits for it any more
    if (error instanceof RunNotFoundError) return 404; // not started yet: let it come again
    if (error instanceof StoreUnavailableError) return 503;
    throw error;
  }
}

import { FatalError, RetryAfterError, type StepContext, type Workflow, workflow } from "@everstep/core";

export interface Completed {
  readonly orderId: string;
}

export interface Endpoints {
  /** The ids of those that want to hear of orders. */
  all(): Promise<readonly string[]>;
  find(id: string): Promise<{ readonly url: string; readonly secret: string } | undefined>;
}

interface Delivery {
  readonly endpoint: string;
  readonly event: Completed;
}

/** One run per endpoint: one that is down keeps no other waiting, and is seen, retried or given up alone. */
export function notifyingWith(endpoints: Endpoints): {
  readonly notification: Workflow<Completed, void>;
  readonly delivery: Workflow<Delivery, number>;
} {
  const delivery = workflow({ name: "delivery", retention: "30d" }, (ctx, { endpoint, event }: Delivery) =>
    ctx.step("post", (step) => post(endpoints, endpoint, { id: ctx.run.id, event }, step), {
      timeout: "15s",
      retry: { initialDelay: "5s", factor: 4, maxDelay: "6h", maxElapsed: "3d" },
    }),
  );
  const notification = workflow(
    { name: "notification", on: "order:completed" },
    async (ctx, event: Completed) => {
      const ids = await ctx.step("endpoints", () => endpoints.all());
      await ctx.map(ids, (id) => ctx.start(delivery, { endpoint: id, event }));
    },
  );
  return { notification, delivery };
}

/** The secret is looked up here and not handed in: it belongs into no journal. */
async function post(
  endpoints: Endpoints,
  endpoint: string,
  { id, event }: { readonly id: string; readonly event: Completed },
  { signal }: StepContext,
): Promise<number> {
  const found = await endpoints.find(endpoint);
  if (found === undefined) throw new FatalError(`endpoint ${endpoint} is gone`, { code: "endpoint_gone" });
  const body = JSON.stringify({ type: "order:completed", ...event });
  const at = new Date();
  const headers = {
    "content-type": "application/json",
    "webhook-id": id, // the same in each attempt: the receiver knows a repetition by it
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(found.secret).sign(id, at, body),
  };
  const response = await fetch(found.url, { method: "POST", headers, body, signal, redirect: "error" });
  await response.body?.cancel();
  if (response.ok) return response.status;
  if (response.status === 410) throw new FatalError(`${endpoint} wants no more`, { code: "endpoint_gone" });
  const after = Number(response.headers.get("retry-after"));
  if (after > 0) throw new RetryAfterError(`it answered ${response.status}`, { after: after * 1000 });
  throw new Error(`it answered ${response.status}`);
}
