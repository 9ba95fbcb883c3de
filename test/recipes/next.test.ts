/** The routes and the action of the recipe for Next.js, called as Next.js calls them. What Next.js itself does with them is told in the page. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "@everstep/core";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { placeOrder } from "./next/app/actions.ts";
import { GET as status } from "./next/app/orders/[id]/route.ts";
import { POST } from "./next/app/orders/route.ts";
import { GET as tick } from "./next/app/tick/route.ts";
import { register } from "./next/instrumentation.ts";
import { everstep } from "./next/lib/everstep.ts";

const here = globalThis as { everstep?: unknown; worker?: Worker };

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "everstep-next-"));
  vi.stubEnv("SHOP_DB", join(folder, "shop.db"));
  vi.stubEnv("CRON_SECRET", "secret");
  onTestFinished(async () => {
    await here.worker?.stop();
    await everstep().store.close();
    delete here.worker;
    delete here.everstep;
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
});

const post = (order: unknown): Promise<Response> =>
  POST(new Request("http://shop/orders", { method: "POST", body: JSON.stringify(order) }));
const ticked = (authorization: string): Promise<Response> =>
  tick(new Request("http://shop/tick", { headers: { authorization } }));
const statusOf = (id: string): Promise<Response> =>
  status(new Request(`http://shop/orders/${id}`), { params: Promise.resolve({ id }) });

test("an order is accepted, accepted again, refused with another content, and done by a tick", async () => {
  expect((await post({ orderId: "1", sku: "lamp" })).status).toBe(202);
  expect((await post({ orderId: "1", sku: "lamp" })).status).toBe(202);
  expect((await post({ orderId: "1", sku: "chair" })).status).toBe(409);
  expect((await post("order")).status).toBe(400);
  expect((await statusOf("2")).status).toBe(404);
  expect(await (await statusOf("1")).json()).toEqual({ status: "ready" });
  expect((await ticked("Bearer nobody")).status).toBe(401);
  expect(await (await ticked("Bearer secret")).json()).toMatchObject({ ended: 1 });
  expect(await (await statusOf("1")).json()).toEqual({ status: "completed" });
});

test("a form that is sent twice is one order, and the worker of the server executes it", async () => {
  const form = new FormData();
  form.set("orderId", "1");
  form.set("sku", "lamp");
  await Promise.all([placeOrder(form), placeOrder(form)]);
  await register();
  expect(here.worker).toBeUndefined();
  vi.stubEnv("NEXT_RUNTIME", "nodejs");
  await register();
  expect(here.worker).toBeInstanceOf(Worker);
  expect(await everstep().client.get("1").result()).toBe("lamp is on its way");
});
