/** A charge that is tried again when Stripe has forgotten its idempotency key. */
import { RetryAfterError } from "@everstep/core";
import { type TestWorker, testWorker } from "@everstep/core/testing";
import { expect, onTestFinished, test } from "vitest";
import { orderWorkflow } from "../src/order.ts";
import { Payments } from "../src/payments.ts";
import { lampOrder } from "./open-shop.ts";
import { type SimulatedStripe, simulatedStripe } from "./simulated-stripe.ts";
import { toyShop, ToyWorld } from "./toy-world.ts";

interface Scene {
  readonly simulator: SimulatedStripe;
  readonly worker: TestWorker;
  readonly order: ReturnType<typeof orderWorkflow>;
}

/** Virtual time, and the real conversation with Stripe, which forgets its keys after the first try of a charge. */
async function openedScene(): Promise<Scene> {
  const simulator = await simulatedStripe();
  const payments = new Payments(simulator.stripe);
  const order = orderWorkflow({
    ...toyShop(new ToyWorld()),
    openPayment: (request, step) => payments.open(request, step),
    charge: (paymentId, step) => payments.charge(paymentId, step),
    giveBack: (paymentId, step) => payments.giveBack(paymentId, step),
  });
  const worker = await testWorker({ workflows: [order] });
  onTestFinished(() => worker.stop());
  worker.mock("charge-payment", async (step, body) => {
    if (step.attempt > 1) return body();
    await Promise.resolve(body()).catch(() => undefined);
    await simulator.forgetKeys();
    throw new RetryAfterError("nobody heard what Stripe answered", { after: "25h" });
  });
  return { simulator, worker, order };
}

test("25 hours later it is looked up, and not made again (F127)", async () => {
  const { simulator, worker, order } = await openedScene();
  await simulator.fault({ orderId: "o-1", on: "confirm", kind: "drop-reply", times: 2 });
  const run = await worker.start(order, lampOrder("o-1"), { id: "o-1" });
  await worker.skip("24h");
  expect(await simulator.executed()).toEqual(["opened", "charged"]);
  expect(await run.status()).toBe("waiting");
  const [, charge] = await simulator.ledger();
  expect(await worker.result(run)).toMatchObject({ chargeId: charge?.chargeId });
  expect(await simulator.executed()).toEqual(["opened", "charged"]);
});

test("and made when it had not been made", async () => {
  const { simulator, worker, order } = await openedScene();
  await simulator.fault({ orderId: "o-1", on: "confirm", kind: "refuse-connection", times: 2 });
  const run = await worker.start(order, lampOrder("o-1"), { id: "o-1" });
  await worker.skip("24h");
  expect(await simulator.executed()).toEqual(["opened"]);
  expect(await worker.result(run)).toMatchObject({ status: "completed" });
  expect(await simulator.executed()).toEqual(["opened", "charged"]);
});

test("when it is canceled meanwhile, it is looked up and refunded", async () => {
  const { simulator, worker, order } = await openedScene();
  await simulator.fault({ orderId: "o-1", on: "confirm", kind: "drop-reply", times: 2 });
  const run = await worker.start(order, lampOrder("o-1"), { id: "o-1" });
  await worker.skip("24h");
  await run.cancel();
  await expect(worker.result(run)).rejects.toThrow("canceled");
  expect(await simulator.executed()).toEqual(["opened", "charged", "refunded"]);
});
