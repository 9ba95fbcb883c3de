import {
  FatalError,
  ResultTimeoutError,
  RunCanceledError,
  RunFailedError,
  type RunHandle,
} from "@everstep/core";
import { z } from "zod";
import type { Receipt } from "./order-request.ts";
import type { ShopDatabase } from "./shop-database.ts";

/** An order as its customer sees it. */
export type OrderView =
  | { readonly orderId: string; readonly status: "processing" }
  | Receipt
  | { readonly orderId: string; readonly status: "failed"; readonly code: string; readonly reason: string }
  | { readonly orderId: string; readonly status: "canceled" };

export interface Sought {
  readonly run: RunHandle<Receipt>;
  readonly orders: Pick<ShopDatabase, "receipt">;
}

/** The order as it is now. Throws `RunNotFoundError`. */
export async function viewOf({ run, orders }: Sought): Promise<OrderView> {
  const status = await run.status();
  const ended = status === "completed" || status === "failed" || status === "canceled";
  // A stuck run is a matter of ours: to the customer it is still under way, and it will be once somebody has mended it.
  return ended ? endOf({ run, orders }) : { orderId: run.id, status: "processing" };
}

/** The order's end, or where it is after `timeout` milliseconds. */
export async function endOf({ run, orders }: Sought, timeout?: number): Promise<OrderView> {
  try {
    return await run.result(timeout === undefined ? {} : { timeout });
  } catch (error) {
    if (error instanceof ResultTimeoutError) return { orderId: run.id, status: "processing" };
    // A cancel that came behind the point of no return ends the run, and undoes nothing: the order stands.
    const receipt = await orders.receipt(run.id);
    if (receipt !== undefined) return receipt;
    if (error instanceof RunCanceledError) return { orderId: run.id, status: "canceled" };
    if (error instanceof RunFailedError) return { orderId: run.id, status: "failed", ...reasonOf(error) };
    throw error;
  }
}

/** Of a failure whose message is not for the customer: what is. */
const Told = z.object({ told: z.string() });

/** What the failed step said: those are words for the customer, unless it has others. Anything else is not. */
function reasonOf(error: Error): { readonly code: string; readonly reason: string } {
  if (error instanceof FatalError) {
    const { data } = Told.safeParse(error.details);
    return { code: error.code, reason: data?.told ?? error.message };
  }
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return { code: "order_failed", reason: "The order could not be completed, and is not charged." };
}
