/** Refunds that Stripe accepts, and can't carry out in the end: with `pm_card_refundFail`, as at Stripe itself. */
import { FatalError, type ShippedEvent } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { runFigure } from "../src/run-figures.ts";
import { ENGINES } from "./empty-database.ts";
import { lampOrder, openedShop, type OpenShop } from "./open-shop.ts";
import { postWebhook, webhookSecret } from "./stripe-webhook.ts";

async function refundRuns({ client }: OpenShop): Promise<readonly { id: string; status: string }[]> {
  const { runs } = await client.runs.list({ workflow: "refund-failed" });
  return runs.map(({ id, status }) => ({ id, status }));
}

/** An event about a refund, as Stripe sends it. */
function refundEvent({ id = "evt_1", type = "refund.failed", metadata = {}, reason = "declined" }): string {
  const object = {
    id: "re_1",
    object: "refund",
    amount: 4_900,
    currency: "usd",
    payment_intent: "pi_1",
    failure_reason: reason,
    status: "failed",
    metadata,
  };
  return JSON.stringify({ id, object: "event", type, data: { object } });
}

describe.for(ENGINES)("on %s a refund that fails after its order has ended (F127)", (engine) => {
  test("is one run that needs a person, on the list for operations, until somebody says how it was mended", async () => {
    const events: ShippedEvent[] = [];
    const outbox = {
      ship: (shipped: readonly ShippedEvent[]) => Promise.resolve(void events.push(...shipped)),
    };
    const confirm = (): never => {
      throw new FatalError("The warehouse burnt down.");
    };
    const shop = await openedShop({ engine, webhookSecret, instead: { confirm }, outbox });
    const { body } = await shop.send(
      "POST",
      "/orders",
      lampOrder("o-1", { paymentMethodId: "pm_card_refundFail" }),
    );
    expect(body).toMatchObject({ status: "failed", reason: "The warehouse burnt down." });

    const needsPerson = [{ id: expect.stringMatching(/^o-1:re_\w+$/) as string, status: "stuck" }];
    await expect.poll(() => refundRuns(shop)).toEqual(needsPerson);
    const id = (await refundRuns(shop))[0]?.id ?? "";
    expect(await shop.simulator.executed()).toEqual(["opened", "charged", "refunded", "refund-failed"]);
    const why = await shop.client.runs.why(id);
    expect(why).toMatch(
      /refund re_\w+ of \$49\.00 for the order o-1, payment pi_\w+ \(expired_or_canceled_card\)/,
    );
    const listed = { type: "run.stuck", run: id, workflow: "refund-failed", step: "give-back-otherwise" };
    await expect.poll(() => events.map(runFigure)).toContainEqual(expect.objectContaining(listed));

    await shop.client.runs.resolve(id, "give-back-otherwise", { result: "bank transfer of 3 May" });
    await shop.client.get(id).result({ timeout: "5s" });
    expect(await refundRuns(shop)).toEqual([{ id, status: "completed" }]);
  });
});

test("a refund is said to have failed as often as Stripe likes, and is one run (F127)", async () => {
  const shop = await openedShop({ webhookSecret });
  const metadata = { order_id: "o-1" };
  expect(await postWebhook(shop.url, refundEvent({ metadata }))).toBe(200);
  expect(await postWebhook(shop.url, refundEvent({ metadata }))).toBe(200);
  expect(await postWebhook(shop.url, refundEvent({ metadata, id: "evt_2", reason: "unknown" }))).toBe(200);
  await expect.poll(() => refundRuns(shop)).toEqual([{ id: "o-1:re_1", status: "stuck" }]);
  const { runs } = await shop.client.runs.list({ tag: { order: "o-1" } });
  expect(runs.map(({ id }) => id)).toEqual(["o-1:re_1"]);
});

test.for([
  ["of no order of ours", { metadata: {} }, {}, 200],
  ["that goes on", { type: "refund.updated", metadata: { order_id: "o-1" } }, {}, 200],
  ["signed by somebody else", { metadata: { order_id: "o-1" } }, { secret: "whsec_other" }, 400],
] as const)("an event about a refund %s starts nothing", async ([, event, signing, status]) => {
  const shop = await openedShop({ webhookSecret });
  expect(await postWebhook(shop.url, refundEvent(event), signing)).toBe(status);
  expect(await refundRuns(shop)).toEqual([]);
});
