/** Which requests are answered by what listens on 127.0.0.1; raw ones, for `fetch` and `node:http` choose these headers themselves. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { hostsIn } from "../src/local-requests.ts";
import { startOperations } from "../src/operations/operations-server.ts";
import { startMailServer } from "../src/stand-ins/mail/mail-server.ts";
import { lampOrder, openedShop } from "./open-shop.ts";
import { simulatedStripe } from "./simulated-stripe.ts";
import { postWebhook, webhookSecret } from "./stripe-webhook.ts";

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Answers the status, and waits for no more: some answers have no end. */
async function status(port: number, asked: Asked): Promise<number> {
  const { method = "GET", path = "/", headers = {}, body = "" } = asked;
  const length = { "content-length": String(body.length) };
  const fields = Object.entries({ host: `127.0.0.1:${port}`, ...length, ...headers });
  const head = [`${method} ${path} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  const socket = connect(port, "127.0.0.1");
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  const [begin] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(begin.toString())?.[1]);
}

async function operations(hosts?: readonly string[]): Promise<number> {
  const tinybird = { pipe: () => Promise.resolve([]) };
  const page = await startOperations({ tinybird, port: 0, ...(hosts && { hosts }) });
  onTestFinished(() => page.stop());
  return page.port;
}

describe.for(["/", "/live", "/main.js"])("the page for operations, at %s,", (path) => {
  test.for([
    ["127.0.0.1:PORT", 200],
    ["127.0.0.1", 200],
    ["localhost:PORT", 200],
    // Such as one behind which `ssh -L` listens.
    ["localhost:8080", 200],
    ["LocalHost:PORT", 200],
    ["rebound.example:PORT", 421],
    ["localhost.rebound.example", 421],
    ["127.0.0.1.rebound.example", 421],
    ["127.0.0.2:PORT", 421],
    ["", 421],
    ["localhost@rebound.example", 421],
  ] as const)("asked as %j answers %i", async ([host, expected]) => {
    const port = await operations();
    expect(await status(port, { path, headers: { host: host.replace("PORT", String(port)) } })).toBe(
      expected,
    );
  });

  test("answers a proxy that is named to it, and no other name", async () => {
    const port = await operations(["ops.example"]);
    const answers = ["ops.example", "ops.example:443", "localhost", "rebound.example"].map((host) =>
      status(port, { path, headers: { host } }),
    );
    expect(await Promise.all(answers)).toEqual([200, 200, 200, 421]);
  });

  test("answers its own page, also behind a proxy that names it by its own address, and no other site's", async () => {
    const port = await operations(["ops.example"]);
    const host = `localhost:${port}`;
    const origins = [
      `http://${host}`,
      "https://ops.example",
      "https://evil.example",
      "http://localhost:1",
      "null",
    ];
    const answers = origins.map((origin) => status(port, { path, headers: { host, origin } }));
    expect(await Promise.all(answers)).toEqual([200, 200, 403, 403, 403]);
  });
});

const posted = { method: "POST", body: "{}" } as const;
const rebound = { headers: { host: "rebound.example" } };
const foreign = { headers: { origin: "https://evil.example", "content-type": "text/plain" } };

test("the shop takes no order, and cancels none, for a page of another site", async () => {
  const { url, send, client } = await openedShop();
  const port = Number(new URL(url).port);
  const order = { path: "/orders", method: "POST", body: JSON.stringify(lampOrder("o-1")) };
  const json = { "content-type": "application/json" };
  expect(await status(port, { ...order, headers: { ...json, host: "rebound.example" } })).toBe(421);
  expect(await status(port, { ...order, headers: { ...json, origin: "https://evil.example" } })).toBe(403);
  expect((await client.runs.list({})).runs).toEqual([]);
  await send("POST", "/orders", lampOrder("o-1"));
  expect(await status(port, { path: "/orders/o-1/cancel", ...posted, ...foreign })).toBe(403);
  expect(await status(port, { path: "/orders/o-1", ...rebound })).toBe(421);
});

test("Stripe comes under any name: it is known by its signature", async () => {
  const { url } = await openedShop({ webhookSecret });
  const port = Number(new URL(url).port);
  const path = "/webhooks/stripe";
  expect(await status(port, { path, ...posted, ...rebound })).toBe(400);
  expect(await postWebhook(url, "{}")).toBe(200);
});

test("no page of another site makes trouble at the stand-ins", async () => {
  const { port: stripe, fault, executed } = await simulatedStripe();
  const mail = await startMailServer();
  onTestFinished(() => mail.close());
  const faults = { port: stripe, path: "/_sim/faults" };
  const outage = { port: mail.httpPort, path: "/_sim/outage" };
  for (const { port, path } of [faults, outage]) {
    expect(await status(port, { path, ...posted, ...rebound })).toBe(421);
    expect(await status(port, { path, ...posted, ...foreign })).toBe(403);
  }
  await fault({ orderId: "o-1", on: "create", kind: "fail" });
  expect(await executed()).toEqual([]);
});

test("the names of proxies are listed with commas", () => {
  expect([undefined, "", "ops.example", " a.example, b.example,"].map(hostsIn)).toEqual([
    [],
    [],
    ["ops.example"],
    ["a.example", "b.example"],
  ]);
});
