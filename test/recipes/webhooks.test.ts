/** The recipe for webhooks: what one half sends, the other receives, over HTTP. */
import { workflow } from "@everstep/core";
import { testWorker } from "@everstep/core/testing";
import express, { type Express } from "express";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { served } from "./served.ts";
import { type Endpoints, notifyingWith, withParcelWebhooks } from "./webhooks.ts";

const SECRET = `whsec_${Buffer.from("a secret of the test").toString("base64")}`;

const waiting = workflow({ name: "waiting" }, (ctx) =>
  ctx.waitForSignal<{ readonly type: string }>("parcel", { timeout: "30d" }),
);

function endpointsAt(...urls: readonly string[]): Endpoints {
  return {
    all: async () => urls.map((_, no) => `endpoint-${no}`),
    find: async (id) => {
      const url = urls[Number(id.slice("endpoint-".length))];
      return url === undefined ? undefined : { url, secret: SECRET };
    },
  };
}

test("a webhook is a signal, once, however often it comes; a forged, old or foreign one is none", async () => {
  await using worker = await testWorker({ workflows: [waiting] });
  const url = await served(withParcelWebhooks(express(), worker.client, SECRET));
  const run = await worker.start(waiting, undefined, { id: "42" });
  await worker.idle();

  const post = async (event: object, { secret = SECRET, at = new Date() } = {}): Promise<number> => {
    const body = JSON.stringify(event);
    const headers = {
      "webhook-id": "msg_1",
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign("msg_1", at, body),
    };
    return (await fetch(`${url}/webhooks/parcels`, { method: "POST", body, headers })).status;
  };
  const shipped = { type: "shipped", orderId: "42" };
  expect(await post(shipped, { secret: `whsec_${Buffer.from("another").toString("base64")}` })).toBe(400);
  expect(await post(shipped, { at: new Date(Date.now() - 3_600_000) })).toBe(400);
  expect(await post({ type: "weather" })).toBe(204);
  expect(await post({ ...shipped, orderId: "none" })).toBe(404);
  expect(await Promise.all([post(shipped), post(shipped)])).toEqual([204, 204]);
  expect(await worker.result(run)).toEqual({ type: "shipped" });
  expect(await post(shipped)).toBe(204);
});

/** Answers these statuses one after the other, and from then on 204. */
function answering(...statuses: readonly number[]): { readonly app: Express; readonly ids: string[] } {
  const ids: string[] = [];
  const app = express().post("/", express.raw({ type: "*/*" }), (request, response) => {
    new Webhook(SECRET).verify(request.body as Buffer, request.headers as Record<string, string>);
    ids.push(request.header("webhook-id") ?? "");
    response.setHeader("retry-after", "60");
    response.sendStatus(statuses[ids.length - 1] ?? 204);
  });
  return { app, ids };
}

test("each endpoint gets each event under one id, also when it was busy, or the sender died", async () => {
  const [steady, busy] = [answering(), answering(429, 503)];
  const urls = [await served(steady.app), await served(busy.app)];
  const { notification, delivery } = notifyingWith(endpointsAt(...urls));
  await using worker = await testWorker({ workflows: [notification, delivery] });
  worker.mock("post", async (_, body) => {
    const status = await body();
    // The sender dies after an answer, before it is journaled.
    if (steady.ids.length === 1) await worker.crash();
    return status;
  });
  await worker.client.emit("order:completed", { orderId: "42" }, { id: "42" });
  await worker.skip("1h");
  const { runs } = await worker.client.runs.list({ workflow: "delivery" });
  expect(runs.map(({ status }) => status)).toEqual(["completed", "completed"]);
  expect(steady.ids.length).toBeGreaterThan(1);
  expect(busy.ids.length).toBeGreaterThan(2);
  for (const { ids } of [steady, busy]) expect(new Set(ids).size).toBe(1);
});

test("an endpoint that is gone is given up; one that is down for three days as well, to be retried by a person", async () => {
  const gone = answering(410);
  const { notification, delivery } = notifyingWith(
    endpointsAt(await served(gone.app), "http://127.0.0.1:9/"),
  );
  await using worker = await testWorker({ workflows: [notification, delivery] });
  await worker.client.emit("order:completed", { orderId: "42" }, { id: "42" });
  await worker.skip("4d");
  const { runs } = await worker.client.runs.list({ workflow: "delivery" });
  expect(runs.map(({ status }) => status)).toEqual(["failed", "failed"]);
  expect(gone.ids).toHaveLength(1);
});
