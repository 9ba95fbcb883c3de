// docs/guides/express.md: the handler and the order that becomes of it, through the failures of its table.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type SimulatedStripe, simulatedStripe } from "../../examples/ecommerce/test/simulated-stripe.ts";
import { runGuide, writeGuide } from "./guide-program.ts";

interface Tables {
  exec(sql: string): void;
  prepare(sql: string): { get(): unknown; all(): unknown[] };
  close(): void;
}

interface Program {
  readonly app: { listen(port: number, done: () => void): Server };
  readonly db: Tables;
  readonly worker?: { stop(options: { grace: number }): Promise<unknown> };
}

/** Long enough for a busy machine. */
const PATIENCE = { timeout: 60_000 };

const SCHEMA = `
  CREATE TABLE stock (product_id TEXT PRIMARY KEY, quantity INTEGER NOT NULL);
  CREATE TABLE reservations (order_id TEXT, product_id TEXT, quantity INTEGER);
  CREATE TABLE orders (id TEXT PRIMARY KEY, payment_id TEXT, cents INTEGER);
  INSERT INTO stock VALUES ('lamp', 2);
`;

interface Shop extends SimulatedStripe {
  readonly db: Tables;
  readonly mails: string[];
  readonly figures: unknown[];
  /** Mails are refused while it is true. */
  mailIsDown: boolean;
  order(wish?: object): Promise<{ status: number; body: unknown }>;
  look(orderId: string): Promise<{ status: number; body: unknown }>;
  lamps(): unknown;
}

/** A shop in which a slow machine changes no answer. */
const PATIENT = { '"250ms"': '"60s"' };

/** The program of a block, behind HTTP, with two lamps in stock. */
async function openShop(
  block: "express-before" | "express-after",
  changes: Readonly<Record<string, string>> = {},
): Promise<Shop> {
  const simulator = await simulatedStripe();
  const outside = { mails: [] as string[], figures: [] as unknown[], mailIsDown: false };
  const { app, db, worker } = await runGuide<Program>(
    "express",
    block,
    {
      stripe: simulator.stripe,
      mailer: {
        sendMail: async ({ to }: { to: string }) => {
          if (outside.mailIsDown) throw new Error("connect ECONNREFUSED 127.0.0.1:25");
          outside.mails.push(to);
        },
      },
      figures: { append: async (row: unknown) => void outside.figures.push(row) },
    },
    changes,
  );
  db.exec(SCHEMA);
  const server = await new Promise<Server>((done) => {
    const listening = app.listen(0, () => done(listening));
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await worker?.stop({ grace: 0 });
    db.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;
  const ask = async (path: string, options?: RequestInit): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(url + path, options);
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") ? (JSON.parse(text) as unknown) : text };
  };
  const headers = { "content-type": "application/json" };
  return Object.assign(outside, simulator, {
    db,
    order: (wish: object = {}) =>
      ask("", { method: "POST", headers, body: JSON.stringify({ ...ORDER, ...wish }) }),
    look: (orderId: string) => ask(`/${orderId}`),
    lamps: () => (db.prepare("SELECT quantity FROM stock").get() as { quantity: number }).quantity,
  });
}

const ORDER = {
  orderId: "o-1",
  email: "ada@example.com",
  items: [{ productId: "lamp", quantity: 1, price: 2100 }],
  paymentMethodId: "pm_card_visa",
};

test("the handler: an order that goes well", async () => {
  const shop = await openShop("express-before");
  expect(await shop.order()).toMatchObject({ status: 200, body: { orderId: "o-1", status: "completed" } });
  expect(shop.mails).toEqual(["ada@example.com"]);
  expect(shop.lamps()).toBe(1);
});

test("the handler: without a mail server a paid order is answered with 500, and the customer's second try is charged as well", async () => {
  const shop = await openShop("express-before");
  shop.mailIsDown = true;
  expect(await shop.order()).toMatchObject({ status: 500 });
  expect(await shop.order()).toMatchObject({ status: 500 });
  expect(await shop.executed()).toEqual(["opened", "charged", "opened", "charged"]);
});

test("the handler: what ends it after the charge leaves a ghost charge", async () => {
  const shop = await openShop("express-before");
  shop.db.exec("DROP TABLE stock");
  expect(await shop.order()).toMatchObject({ status: 500 });
  expect(await shop.executed()).toContain("charged");
  expect(shop.db.prepare("SELECT * FROM orders").all()).toEqual([]);
});

test("the handler: the last piece is sold twice", async () => {
  const shop = await openShop("express-before");
  for (const orderId of ["o-1", "o-2", "o-3"])
    expect(await shop.order({ orderId })).toMatchObject({ status: 200 });
  expect(shop.lamps()).toBe(-1);
});

test("the handler: a declined card is a page with a stack trace", async () => {
  const shop = await openShop("express-before");
  // Express copies the headers off Stripe's error, which can make an answer that `fetch` does not even take.
  const page = await shop.order({ paymentMethodId: "pm_card_visa_chargeDeclined" }).then(
    ({ body }) => body,
    (error: unknown) => (error as { cause: { data: string } }).cause.data,
  );
  expect(page).toContain("<pre>Error: Your card was declined.<br>");
});

test("the order: one that goes well is answered with 200, its mail and its figure follow", async () => {
  const shop = await openShop("express-after", PATIENT);
  expect(await shop.order()).toMatchObject({ status: 200, body: { orderId: "o-1", status: "completed" } });
  await vi.waitFor(() => expect(shop.figures).toEqual([{ order_id: "o-1", total_cents: 2100 }]), PATIENCE);
  expect(shop.mails).toEqual(["ada@example.com"]);
  expect(shop.lamps()).toBe(1);
  expect(shop.db.prepare("SELECT id, cents FROM orders").all()).toEqual([{ id: "o-1", cents: 2100 }]);
  expect(shop.db.prepare("SELECT * FROM reservations").all()).toEqual([]);
});

test("the order: twice is one run, one charge, one answer", async () => {
  const shop = await openShop("express-after", PATIENT);
  const answers = await Promise.all([shop.order(), shop.order()]);
  expect(answers[1]).toEqual(answers[0]);
  expect(await shop.order()).toEqual(answers[0]);
  expect(await shop.executed()).toEqual(["opened", "charged"]);
});

test("the order: without a mail server it completes, and the mail is sent later", async () => {
  const shop = await openShop("express-after", PATIENT);
  shop.mailIsDown = true;
  expect(await shop.order()).toMatchObject({ status: 200 });
  await vi.waitFor(() => expect(shop.figures).toHaveLength(1), PATIENCE);
  expect(shop.mails).toEqual([]);
  shop.mailIsDown = false;
  await vi.waitFor(() => expect(shop.mails).toEqual(["ada@example.com"]), PATIENCE);
});

test("the order: a slow Stripe is answered with 202, and the order completes later", async () => {
  const shop = await openShop("express-after");
  await shop.fault({ orderId: "o-1", on: "confirm", kind: "slow", ms: 600 });
  expect(await shop.order()).toMatchObject({ status: 202, body: { orderId: "o-1", status: "processing" } });
  await vi.waitFor(async () => expect(await shop.look("o-1")).toMatchObject({ status: 200 }), PATIENCE);
  expect(await shop.executed()).toEqual(["opened", "charged"]);
});

test("the order: a charge whose answer was lost is found, not made again", async () => {
  const shop = await openShop("express-after", PATIENT);
  await shop.fault({ orderId: "o-1", on: "confirm", kind: "drop-reply" });
  await shop.order();
  await vi.waitFor(async () => expect(await shop.look("o-1")).toMatchObject({ status: 200 }), PATIENCE);
  expect(await shop.executed()).toEqual(["opened", "charged"]);
});

test("the order: a declined one is answered in the bank's words, refunded nothing, its stock given back", async () => {
  const shop = await openShop("express-after", PATIENT);
  expect(await shop.order({ paymentMethodId: "pm_card_visa_chargeDeclined" })).toMatchObject({
    status: 402,
    body: { status: "failed", reason: "Your card was declined." },
  });
  expect(await shop.executed()).toEqual(["opened", "declined"]);
  expect(shop.lamps()).toBe(2);
});

test("the order: what is sold out is not charged", async () => {
  const shop = await openShop("express-after", PATIENT);
  expect(await shop.order({ items: [{ productId: "lamp", quantity: 3, price: 2100 }] })).toMatchObject({
    status: 402,
    body: { reason: "lamp is sold out" },
  });
  expect(await shop.executed()).toEqual([]);
  expect(shop.lamps()).toBe(2);
});

test("the order: a violated constraint is tried again, and goes on when it is mended", async () => {
  const shop = await openShop("express-after");
  shop.db.exec("INSERT INTO orders VALUES ('o-1', 'elsewhere', 1)");
  expect(await shop.order()).toMatchObject({ status: 202 });
  shop.db.exec("DELETE FROM orders");
  await vi.waitFor(async () => expect(await shop.look("o-1")).toMatchObject({ status: 200 }), PATIENCE);
  expect(await shop.executed()).toEqual(["opened", "charged"]);
});

/** The guide's program as a process, with what the page only declares. */
const PROCESS = `
import { Stripe } from "stripe";
const [port, schema] = process.argv.slice(2);
globalThis.stripe = new Stripe("sk_test_local", { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0, telemetry: false });
globalThis.mailer = { sendMail: async () => {} };
globalThis.figures = { append: async () => {} };
const { app, db } = await import("./program.ts");
if (schema !== undefined) db.exec(schema);
const server = app.listen(0, () => process.send(server.address().port));
`;

test("the order: its process is killed while Stripe charges, and the next one completes it with that charge", async () => {
  const simulator = await simulatedStripe();
  await simulator.fault({ orderId: "o-1", on: "confirm", kind: "hold-reply" });
  const { folder } = writeGuide("express", "express-after");
  const entry = join(folder, "process.mjs");
  writeFileSync(entry, PROCESS);
  const open = async (...schema: readonly string[]): Promise<{ child: ChildProcess; url: string }> => {
    const child = fork(entry, [String(simulator.port), ...schema], {
      execArgv: ["--conditions=@everstep/source"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const [port] = (await once(child, "message")) as [number];
    return { child, url: `http://127.0.0.1:${port}/orders` };
  };

  const first = await open(SCHEMA);
  const headers = { "content-type": "application/json" };
  const answer = await fetch(first.url, { method: "POST", headers, body: JSON.stringify(ORDER) });
  expect(answer.status).toBe(202);
  await simulator.held;
  first.child.kill("SIGKILL");
  await once(first.child, "exit");

  const second = await open();
  await vi.waitFor(async () => expect((await fetch(`${second.url}/o-1`)).status).toBe(200), PATIENCE);
  expect(await simulator.executed()).toEqual(["opened", "charged"]);
});
