import { FatalError } from "@everstep/core";
import { type TestWorker, testWorker } from "@everstep/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { orderWorkflow } from "../src/order.ts";
import { postOrderWorkflow } from "../src/post-order.ts";
import type { Shop } from "../src/shop.ts";
import { ENGINES } from "./empty-database.ts";
import { lampOrder, openedShop } from "./open-shop.ts";
import { toyShop, ToyWorld } from "./toy-world.ts";

const HOUR_MS = 3_600_000;

interface Scene {
  readonly worker: TestWorker;
  readonly world: ToyWorld;
  /** Places an order, and answers the id of the run that follows it. */
  readonly place: (orderId: string) => Promise<string>;
}

/** Orders and what follows them, in virtual time. */
async function openedScene(change: (shop: Shop) => Partial<Shop> = () => ({})): Promise<Scene> {
  const world = new ToyWorld();
  const own = toyShop(world);
  const shop = { ...own, ...change(own) };
  const order = orderWorkflow(shop);
  const worker = await testWorker({ workflows: [order, postOrderWorkflow(shop)], patience: "200ms" });
  onTestFinished(() => worker.stop());
  const place = async (orderId: string): Promise<string> => {
    await worker.start(order, lampOrder(orderId), { id: orderId });
    return `order:completed/${orderId}/post-order`;
  };
  return { worker, world, place };
}

describe.for(ENGINES)("on %s an order that completes", (engine) => {
  test("is followed by a mail, its points and a row of figures", async () => {
    const { send, database, mails, figures } = await openedShop({ engine });
    await send(
      "POST",
      "/orders",
      lampOrder("o-1", { items: [{ productId: "lamp", quantity: 2, price: 1_999 }] }),
    );
    const points = { orderId: "o-1", userId: "user-1", points: 39, at: expect.any(Number) as number };
    await expect.poll(() => database.points()).toEqual([points]);
    await expect.poll(() => mails).toMatchObject([{ orderId: "o-1", itemCount: 2 }]);
    await expect
      .poll(() => figures)
      .toMatchObject([{ order_id: "o-1", user_id: "user-1", total_cents: 3_998, item_count: 2 }]);
  });

  test.for([{ paymentMethodId: "pm_card_visa_chargeDeclined" }])(
    "is; one that fails is followed by nothing",
    async (change) => {
      const { send, client } = await openedShop({ engine });
      await send("POST", "/orders", lampOrder("o-1", change));
      expect(await client.runs.count({ workflow: "post-order" })).toBe(0);
    },
  );
});

test("two hours without mail affect no order, and every mail is delivered afterwards", async () => {
  const tries: number[] = [];
  let isOut = true;
  const { worker, world, place } = await openedScene((own) => ({
    sendConfirmation: async (order, step) => {
      if (order.orderId === "o-1") tries.push(worker.clock.now());
      if (isOut) throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
      return own.sendConfirmation(order, step);
    },
  }));
  const beganAt = worker.clock.now();
  const orders = Array.from({ length: 20 }, (_, no) => `o-${no + 1}`);
  const followers = await Promise.all(orders.map(place));
  await worker.skip("2h");
  // Everything but the mail was done at once.
  expect(await worker.client.runs.count({ workflow: "order", status: "completed" })).toBe(20);
  expect([world.mails.size, world.figures.size]).toEqual([0, 20]);
  const why = await worker.client.runs.why(followers[0] ?? "");
  expect(why).toMatch(/send-confirmation.*ECONNREFUSED/);

  isOut = false;
  await worker.skip("5m");
  expect([...world.mails.values()]).toEqual(orders.map(() => 1));
  expect(await worker.client.runs.count({ workflow: "post-order", status: "completed" })).toBe(20);

  // Three tries at once, then ever slower, but never slower than every five minutes.
  expect(tries[2]).toBeLessThanOrEqual(beganAt + 10_000);
  const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? at));
  expect(Math.max(...waits)).toBeLessThanOrEqual(5 * 60_000);
  expect(tries.length).toBeGreaterThan((2 * HOUR_MS) / (5 * 60_000));
  expect(tries.length).toBeLessThan(100);
});

test("a mail server that hangs is given up after 30 s (F96)", async () => {
  const { worker, world, place } = await openedScene((own) => ({
    sendConfirmation: async (order, step) => {
      if (step.attempt > 1) return own.sendConfirmation(order, step);
      const aborted = Promise.withResolvers<never>();
      step.signal.addEventListener("abort", () => aborted.reject(step.signal.reason as Error));
      return aborted.promise;
    },
  }));
  const run = await place("o-1");
  await worker.skip("29s");
  expect(world.mails.size).toBe(0);
  await worker.skip("5s");
  expect(world.mails.size).toBe(1);
  expect(await worker.outline(run)).toContain("end completed");
});

describe("a step that fails for good", () => {
  const noMailbox = new FatalError("There is no such mailbox", { code: "mail_refused" });
  const quarantined = new FatalError("1 of 1 rows don't fit", { code: "rows_quarantined" });

  test("keeps the others from nothing, and is why the run fails", async () => {
    const { worker, world, place } = await openedScene();
    worker.fail("send-confirmation", { error: noMailbox });
    worker.fail("track-analytics", { error: quarantined });
    const run = await place("o-1");
    await worker.idle();
    const report = await worker.client.runs.read(run);
    expect(report.status).toBe("failed");
    expect(report.error).toMatchObject({ code: "post_order_failed" });
    expect(report.error?.message).toMatch(/There is no such mailbox.*; .*1 of 1 rows don't fit/);
    expect(await worker.outline(run)).toContain("step add-loyalty-points");
    expect((await worker.client.runs.read("o-1")).status).toBe("completed");
    expect(world.paid("o-1")).toBe(1);
  });

  test("is done again, and nothing else is, when a person has mended it", async () => {
    const { worker, world, place } = await openedScene();
    worker.fail("send-confirmation", { error: noMailbox });
    worker.fail("track-analytics", { error: quarantined });
    const run = await place("o-1");
    await worker.idle();
    await worker.client.runs.retry(run);
    await worker.idle();
    expect((await worker.client.runs.read(run)).status).toBe("completed");
    expect([[...world.mails.values()], [...world.figures.values()]]).toEqual([[1], [1]]);
    const booked = worker.calls.filter(({ step }) => step === "add-loyalty-points");
    expect(booked).toHaveLength(1);
  });
});
