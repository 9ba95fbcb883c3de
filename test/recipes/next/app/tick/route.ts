import { Worker } from "@everstep/core";
import { everstep } from "../../lib/everstep.ts";
import { order } from "../../lib/order.ts";

export const maxDuration = 60;

export async function GET(request: Request): Promise<Response> {
  if (request.headers.get("authorization") !== `Bearer ${process.env["CRON_SECRET"]}`)
    return new Response(null, { status: 401 });
  const worker = new Worker({ store: everstep().store, workflows: [order] });
  return Response.json(await worker.runUntilIdle({ for: "50s" }));
}
