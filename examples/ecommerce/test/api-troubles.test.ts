/** What the API answers when the database, or the moment, is against it. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type Client, RunCanceledError, RunEndedError } from "@everstep/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApi } from "../src/api.ts";
import { orderWorkflow } from "../src/order.ts";
import type { Receipt } from "../src/order-request.ts";
import { lampOrder, openedShop } from "./open-shop.ts";
import { toyShop, ToyWorld } from "./toy-world.ts";

/** Serves orders of a client that is no more than `client`; answers how to send it a request. */
async function served(
  client: object,
  receipt?: Receipt,
): Promise<(path: string, method?: string) => Promise<Response>> {
  const order = orderWorkflow(toyShop(new ToyWorld()));
  const orders = { receipt: async () => receipt };
  const api = createApi({ client: client as Client, order, orders, patienceMs: 50 });
  const server = api.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const body = JSON.stringify(lampOrder("o-1"));
  const headers = { "content-type": "application/json" };
  return (path, method = "POST") =>
    fetch(`http://127.0.0.1:${port}${path}`, { method, headers, ...(method === "POST" ? { body } : {}) });
}

const silence = new Promise<never>(() => undefined);

describe("a database that says nothing", () => {
  const silent = { id: "o-1", status: () => silence, cancel: () => silence };

  test.for([
    ["POST", "/orders"],
    ["GET", "/orders/o-1"],
    ["POST", "/orders/o-1/cancel"],
  ] as const)("keeps nobody waiting: %s %s is answered with 503", async ([method, path]) => {
    const send = await served({ start: () => silence, get: () => silent });
    const answer = await send(path, method);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await answer.json()).toMatchObject({ error: "unavailable" });
  });
});

test("an order that was canceled behind its point of no return is completed to whoever cancels it again", async () => {
  const run = {
    id: "o-1",
    status: async () => "canceled",
    result: () => Promise.reject(new RunCanceledError("o-1")),
    cancel: () => Promise.reject(new RunEndedError("o-1", "canceled", "a cancel")),
  };
  const send = await served({ get: () => run }, { orderId: "o-1", chargeId: "ch_1", status: "completed" });
  const answer = await send("/orders/o-1/cancel");
  expect(answer.status).toBe(409);
  expect(await answer.json()).toEqual({ error: "order_ended", message: "The order is completed already." });
});

test.for(["/", "/orders", "/nowhere/<b>", "//orders/o-1"])(
  "GET %s finds nothing, and says so in JSON",
  async (path) => {
    const send = await served({});
    const answer = await send(path, "GET");
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: "unknown_path" });
  },
);

test("the run that follows an order is nobody's order", async () => {
  const { send } = await openedShop();
  await send("POST", "/orders", lampOrder("o-1"));
  const path = `/orders/${encodeURIComponent("order:completed/o-1/post-order")}`;
  for (const [method, wish] of [
    ["GET", path],
    ["POST", `${path}/cancel`],
  ] as const)
    expect(await send(method, wish)).toMatchObject({ status: 404, body: { error: "unknown_order" } });
});

test("what Stripe says to the shop is not for its customers", async () => {
  const { send, simulator, client } = await openedShop();
  await simulator.fault({ orderId: "o-1", on: "confirm", kind: "refuse", times: 2 });
  const { body } = await send("POST", "/orders", lampOrder("o-1"));
  expect(body).toMatchObject({ status: "failed", reason: "The payment could not be made." });
  expect(await client.runs.why("o-1")).toContain("You have insufficient funds in your Stripe account");
});

test.for([
  ["__proto__", `{"__proto__":{"userId":"x"},`, 422],
  ["constructor", `{"constructor":{"prototype":{}},`, 422],
  ["a key twice", `{"userId":"somebody-else",`, 200],
] as const)("an order with %s is judged by what it is then", async ([, begin, status]) => {
  const { url } = await openedShop();
  const body = JSON.stringify(lampOrder("o-1")).replace("{", begin);
  const headers = { "content-type": "application/json" };
  expect((await fetch(`${url}/orders`, { method: "POST", headers, body })).status).toBe(status);
  expect(({} as { userId?: string }).userId).toBeUndefined();
});
