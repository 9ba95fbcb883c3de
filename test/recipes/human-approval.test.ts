import { crashTest, testWorker } from "@everstep/core/testing";
import express from "express";
import { expect, test } from "vitest";
import { linkTo, type Outside, refundWith, withDecisions } from "./human-approval.ts";
import { served } from "./served.ts";

/** What stands for mail and bank; each knows its keys. */
class World implements Outside {
  readonly asked = new Set<string>();
  readonly refunds = new Map<string, number>();

  async ask(approver: string): Promise<void> {
    this.asked.add(approver);
  }

  async refund(_orderId: string, cents: number, idempotencyKey: string): Promise<void> {
    this.refunds.set(idempotencyKey, cents);
  }
}

const input = { orderId: "42", cents: 1999, approvers: ["ada", "bob"] };

test("a refund is paid once after the first approval, whatever crashes", async () => {
  await crashTest(refundWith, {
    input,
    world: () => new World(),
    signals: { decision: { approved: true, by: "ada" } },
    invariant: ({ world, result }) => {
      expect(result).toBe("approved by ada");
      expect([...world.refunds.values()]).toEqual([1999]);
    },
  });
});

test("after a day the next one is asked, and after the last one it is declined", async () => {
  const world = new World();
  const refund = refundWith(world);
  await using worker = await testWorker({ workflows: [refund] });
  const run = await worker.start(refund, input, { id: "refund-42" });
  await worker.idle();
  expect(await worker.client.runs.why("refund-42")).toContain("decision");
  expect([...world.asked]).toEqual(["ada"]);
  await worker.skip("25h");
  expect([...world.asked]).toEqual(["ada", "bob"]);
  expect(await worker.client.runs.count({ tag: { escalated: "yes" } })).toBe(1);
  expect(await worker.result(run)).toBe("declined by nobody");
  expect(world.refunds.size).toBe(0);
});

test("a signed link decides by POST, the first answer counts, and a forged one decides nothing", async () => {
  const refund = refundWith(new World());
  await using worker = await testWorker({ workflows: [refund] });
  const run = await worker.start(refund, input, { id: "refund-42" });
  await worker.idle();

  const secret = new TextEncoder().encode("a secret of at least thirty-two bytes");
  const url = await served(withDecisions(express(), worker.client, secret));
  const answer = async (
    approved: boolean,
    by: string,
    { method = "POST", key = secret } = {},
  ): Promise<number> => {
    const token = await linkTo({ run: "refund-42", approved, by }, key);
    return (await fetch(`${url}/decisions/${token}`, { method })).status;
  };
  expect(
    await answer(true, "eve", { key: new TextEncoder().encode("another one of thirty-two bytes or so") }),
  ).toBe(403);
  expect(await answer(true, "ada", { method: "GET" })).toBe(200);
  expect(await run.status()).toBe("waiting");
  expect(await answer(false, "ada")).toBe(200);
  expect(await answer(true, "bob")).toBe(200);
  expect(await worker.result(run)).toBe("declined by ada");
});
