import { RunConflictError } from "@everstep/core";
import { everstep } from "../../lib/everstep.ts";
import { order, OrderRequest } from "../../lib/order.ts";

export async function POST(request: Request): Promise<Response> {
  const wish = OrderRequest.safeParse(await request.json().catch(() => undefined));
  if (!wish.success) return Response.json({ issues: wish.error.issues }, { status: 400 });
  try {
    const run = await everstep().client.start(order, wish.data, { id: wish.data.orderId });
    return Response.json({ run: run.id }, { status: 202 });
  } catch (error) {
    if (!(error instanceof RunConflictError)) throw error;
    return Response.json({ error: "this order exists with another content" }, { status: 409 });
  }
}
