/** The recipe for Stripe with its real SDK, against the shop's stand-in for Stripe. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { FatalError } from "@everstep/core";
import { type TestWorker, testWorker } from "@everstep/core/testing";
import express from "express";
import { Stripe } from "stripe";
import { expect, onTestFinished, test } from "vitest";
import { served } from "./served.ts";
import { Payments, purchaseWith, withStripeWebhooks } from "./stripe.ts";

const input = { orderId: "42", cents: 1999, paymentMethodId: "pm_card_visa" };

async function simulated(): Promise<{
  readonly stripe: Stripe;
  readonly sim: (path: string, body?: object) => Promise<Response>;
  readonly executed: () => Promise<readonly string[]>;
}> {
  const program = fileURLToPath(import.meta.resolve("@everstep/example-ecommerce/stripe-simulator"));
  const child = fork(program, ["0"], { execArgv: ["--conditions=@everstep/source"] });
  onTestFinished(() => void child.kill());
  const [{ listening: port }] = (await once(child, "message")) as [{ readonly listening: number }];
  const sim = (path: string, body?: object): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/_sim/${path}`, body && { method: "POST", body: JSON.stringify(body) });
  const here = { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0, telemetry: false } as const;
  return {
    stripe: new Stripe("sk_test_local", here),
    sim,
    executed: async () => {
      const { operations } = (await (await sim("ledger")).json()) as { operations: { kind: string }[] };
      return operations.map(({ kind }) => kind);
    },
  };
}

async function shop(
  stripe: Stripe,
  ship: () => Promise<void> = async () => {},
): Promise<{ readonly worker: TestWorker; readonly purchase: ReturnType<typeof purchaseWith> }> {
  const purchase = purchaseWith({ payments: new Payments(stripe), warehouse: { ship } });
  const worker = await testWorker({ workflows: [purchase], patience: "20s" });
  onTestFinished(() => worker.stop());
  return { worker, purchase };
}

test("lost replies, 500s and a refused connection: charged once", async () => {
  const { stripe, sim, executed } = await simulated();
  for (const [on, kind] of [
    ["create", "drop-reply"],
    ["confirm", "refuse-connection"],
    ["confirm", "fail"],
    ["confirm", "drop-reply"],
  ])
    await sim("faults", { orderId: "42", on, kind, times: 1 });
  const { worker, purchase } = await shop(stripe);
  await worker.result(await worker.start(purchase, input, { id: "42" }));
  expect((await executed()).filter((kind) => kind === "charged")).toEqual(["charged"]);
});

test("a death after the charge and a day of silence: the charge is looked up, not made again", async () => {
  const { stripe, sim, executed } = await simulated();
  const { worker, purchase } = await shop(stripe);
  worker.mock("charge-payment", async (_, body) => {
    await body();
    await sim("forget-keys", {});
    worker.unmock("charge-payment");
    await worker.crash();
  });
  await worker.result(await worker.start(purchase, input, { id: "42" }));
  expect(await executed()).toEqual(["opened", "charged"]);
});

test("a decline fails the purchase in the words of the bank, and nothing is left open", async () => {
  const { stripe, executed } = await simulated();
  const { worker, purchase } = await shop(stripe);
  const declined = { ...input, paymentMethodId: "pm_card_visa_chargeDeclined" };
  const run = await worker.start(purchase, declined, { id: "42" });
  await expect(worker.result(run)).rejects.toThrow(/declined/);
  expect(await executed()).not.toContain("charged");
});

test("what can't be shipped is refunded, also when the reply to the refund is lost", async () => {
  const { stripe, sim, executed } = await simulated();
  await sim("faults", { orderId: "42", on: "refund", kind: "drop-reply", times: 1 });
  const { worker, purchase } = await shop(stripe, async () => {
    throw new FatalError("sold out");
  });
  await expect(worker.result(await worker.start(purchase, input, { id: "42" }))).rejects.toThrow("sold out");
  expect(await executed()).toEqual(["opened", "charged", "refunded"]);
});

test("a purchase that was refunded is not shipped for nothing when a person retries it", async () => {
  const { stripe, executed } = await simulated();
  const shipped: string[] = [];
  let isSoldOut = true;
  const { worker, purchase } = await shop(stripe, async () => {
    if (isSoldOut) throw new FatalError("sold out");
    shipped.push("42");
  });
  const run = await worker.start(purchase, input, { id: "42" });
  await expect(worker.result(run)).rejects.toThrow(/sold out/);
  isSoldOut = false;
  await worker.client.runs.retry("42");
  await expect(worker.result("42")).rejects.toThrow(/refunded/);
  expect(shipped).toEqual([]);
  expect(await executed()).toEqual(["opened", "charged", "refunded"]);
});

test("a signed webhook is a hint, once; a forged one is refused", async () => {
  const stripe = new Stripe("sk_test_local");
  const { worker, purchase } = await shop(stripe);
  worker.mock("open-payment", () => "pi_1");
  worker.mock("charge-payment", () => "processing");
  worker.mock("look-at-payment", () => "succeeded");
  const run = await worker.start(purchase, input, { id: "42" });
  await worker.idle();

  const url = await served(withStripeWebhooks(express(), worker.client, stripe, "whsec_test"));
  const object = { object: "payment_intent", id: "pi_1", metadata: { order_id: "42" } };
  const payload = JSON.stringify({
    id: "evt_1",
    object: "event",
    type: "payment_intent.succeeded",
    data: { object },
  });
  const post = async (secret: string): Promise<number> => {
    const signature = stripe.webhooks.generateTestHeaderString({ payload, secret });
    const headers = { "stripe-signature": signature, "content-type": "application/json" };
    const { status } = await fetch(`${url}/webhooks/stripe`, { method: "POST", body: payload, headers });
    return status;
  };
  expect(await post("whsec_forged")).toBe(400);
  expect(await Promise.all([post("whsec_test"), post("whsec_test")])).toEqual([200, 200]);
  expect(await worker.result(run)).toBe("pi_1");
  expect(await post("whsec_test")).toBe(200);
  expect((await worker.outline(run)).filter((line) => line.startsWith("signal"))).toHaveLength(1);
});
