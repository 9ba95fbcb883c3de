"use server";

import { everstep } from "../lib/everstep.ts";
import { order, OrderRequest } from "../lib/order.ts";

/** The form has a hidden `orderId`, drawn when the page was made: sent twice, it is one order. */
export async function placeOrder(form: FormData): Promise<void> {
  const wish = OrderRequest.parse(Object.fromEntries(form));
  await everstep().client.start(order, wish, { id: wish.orderId });
}
