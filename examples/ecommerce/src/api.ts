/* oxlint-disable oxc/no-async-endpoint-handlers -- Express 5 hands what a handler rejects with to the error handler. */
import {
  type Client,
  RunConflictError,
  RunEndedError,
  RunNotFoundError,
  StoreUnavailableError,
  type Workflow,
} from "@everstep/core";
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from "express";
import { z } from "zod";
import { orAborted } from "./body-step.ts";
import { localRequestsOnly } from "./local-requests.ts";
import { Id, OrderRequest, type Receipt } from "./order-request.ts";
import { endOf, type OrderView, type Sought, viewOf } from "./order-view.ts";
import type { ShopDatabase } from "./shop-database.ts";

export interface ApiOptions {
  readonly client: Client;
  readonly order: Workflow<OrderRequest, Receipt>;
  readonly orders: Pick<ShopDatabase, "receipt">;
  /** What answers `POST /webhooks/stripe`; without it there is no such path. */
  readonly webhooks?: readonly RequestHandler[] | undefined;
  /** The names under which a proxy passes requests on, beside those of this machine; default none. */
  readonly hosts?: readonly string[];
  /** How long `POST /orders` waits for the order's end before it answers 202; default 250 ms. */
  readonly waitMs?: number;
  /** How long the database may take before the answer is 503; default 5 s. What was asked of it may still be done. */
  readonly patienceMs?: number;
}

/**
 * The shop over HTTP. An order that was answered with 200 or 202 is durable: it will end, whatever happens to this process.
 *
 * - `POST /orders`: 200 when the order has ended, 202 and where to look when it has not; the same order again is the same order.
 * - `GET /orders/:id`: how it stands.
 * - `POST /orders/:id/cancel`: 202; what was done is undone, unless the order was confirmed before.
 * - `POST /webhooks/stripe`: what Stripe tells. Under any host: it proves by its signature where it comes from.
 */
export function createApi(options: ApiOptions): Express {
  const { client, order, orders, webhooks, hosts, waitMs = 250, patienceMs = 5_000 } = options;
  const api = express();
  const inTime = <T>(ask: () => Promise<T>): Promise<T> =>
    orAborted(AbortSignal.timeout(waitMs + patienceMs), ask);
  const sought = (orderId: string): Sought => {
    if (!Id.safeParse(orderId).success) throw new RunNotFoundError(orderId);
    return { run: client.get<Receipt>(orderId), orders };
  };
  api.disable("x-powered-by");
  // Before what parses bodies: a signature is one of the bytes.
  if (webhooks !== undefined) api.post("/webhooks/stripe", ...webhooks);
  api.use(localRequestsOnly(hosts));
  api.use(express.json({ limit: "64kb" }));

  api.post("/orders", async (request, response) => {
    if (request.is("json") === false)
      return refuse(response, 415, "not_json", "Send the order as application/json.");
    const wish = OrderRequest.parse(request.body);
    const start = { id: wish.orderId, tags: { user: wish.userId } };
    const run = await inTime(() => client.start(order, wish, start));
    return answer(response, await inTime(() => endOf({ run, orders }, waitMs)));
  });

  api.get("/orders/:id", async (request, response) => {
    response.json(await inTime(() => viewOf(sought(request.params.id))));
  });

  api.post("/orders/:id/cancel", async (request, response) => {
    const canceled = sought(request.params.id);
    const isTaken = await inTime(() => cancelOf(canceled));
    const view = await inTime(() => viewOf(canceled));
    if (!isTaken) return refuse(response, 409, "order_ended", `The order is ${view.status} already.`);
    return answer(response, view);
  });

  api.use((_request, response) => refuse(response, 404, "unknown_path", "There is nothing here."));
  api.use(onError);
  return api;
}

/** False: it has ended. */
async function cancelOf({ run }: Sought): Promise<boolean> {
  try {
    await run.cancel({ reason: "canceled by the customer" });
    return true;
  } catch (error) {
    if (error instanceof RunEndedError) return false;
    throw error;
  }
}

function answer(response: Response, view: OrderView): void {
  const statusUrl = `/orders/${view.orderId}`;
  if (view.status === "processing")
    response
      .status(202)
      .location(statusUrl)
      .json({ ...view, statusUrl });
  else response.json(view);
}

function refuse(response: Response, status: number, error: string, message: string, more: object = {}): void {
  response.status(status).json({ error, message, ...more });
}

const onError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) return next(error);
  if (error instanceof z.ZodError) {
    const fields = error.issues.map(({ path, message }) => ({ field: z.core.toDotPath(path), message }));
    return refuse(response, 422, "invalid_order", "The order is not valid.", { fields });
  }
  if (error instanceof RunConflictError) {
    return refuse(
      response,
      409,
      "order_exists",
      "There is another order with this orderId and another content.",
    );
  }
  if (error instanceof RunNotFoundError)
    return refuse(response, 404, "unknown_order", "There is no such order.");
  if (error instanceof StoreUnavailableError || isTimeout(error)) {
    response.set("Retry-After", "1");
    return refuse(response, 503, "unavailable", "Nobody knows whether that was done: send it again.");
  }
  if (isClientError(error)) return refuse(response, error.status, "bad_request", error.message);
  console.error(error);
  return refuse(response, 500, "internal", "Something went wrong.");
};

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

/** What express and its parser throw at a request: malformed JSON 400, too large 413, a bad URL 400 … */
function isClientError(error: unknown): error is Error & { readonly status: number } {
  return (
    error instanceof Error && "status" in error && typeof error.status === "number" && error.status < 500
  );
}
