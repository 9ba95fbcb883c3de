import { join } from "node:path";
import { expect, test } from "vitest";
import { EffectLedger, witnessed } from "../src/books/effect-ledger.ts";
import type { OrderCompleted } from "../src/order-completed.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { toyShop, ToyWorld } from "./toy-world.ts";

const completed: OrderCompleted = {
  orderId: "o-1",
  userId: "user-1",
  chargeId: "ch-1",
  totalCents: 4_900,
  itemCount: 1,
  completedAt: "2026-01-01T00:00:00.000Z",
};

function ledgerPath(): string {
  return join(temporaryFolder(), "effects.jsonl");
}

function told(ledger: EffectLedger): string[] {
  return ledger.read().map(({ event, run, entry }) => `${event} ${run} ${entry}`);
}

test("a body begins before it does anything, and ends when it has succeeded", async () => {
  const ledger = new EffectLedger(ledgerPath());
  ledger.around("o-1", "step a", () => expect(told(ledger)).toEqual(["begin o-1 step a"]));
  await ledger.around("o-1", "step b", async () => {
    await Promise.resolve();
    expect(told(ledger)).toEqual(["begin o-1 step a", "end o-1 step a", "begin o-1 step b"]);
  });
  expect(told(ledger).at(-1)).toBe("end o-1 step b");
});

test("a body that throws has begun and not ended", async () => {
  const ledger = new EffectLedger(ledgerPath());
  const fail = (): never => {
    throw new Error("no");
  };
  expect(() => ledger.around("o-1", "step a", fail)).toThrow("no");
  await expect(ledger.around("o-1", "step b", async () => Promise.reject(new Error("no")))).rejects.toThrow(
    "no",
  );
  expect(told(ledger)).toEqual(["begin o-1 step a", "begin o-1 step b"]);
});

test("two writers share one order of events, and nothing is joined together", () => {
  const path = ledgerPath();
  const [service, checker] = [new EffectLedger(path), new EffectLedger(path)];
  service.around("o-1", "step a", () => 1);
  checker.mark("o-1", "step a");
  service.around("o-1", "step a", () => 1);
  expect(told(checker)).toEqual([
    "begin o-1 step a",
    "end o-1 step a",
    "mark o-1 step a",
    "begin o-1 step a",
    "end o-1 step a",
  ]);
});

test("a body is witnessed under the id of its run, whatever that holds", async () => {
  const ledger = new EffectLedger(ledgerPath());
  const shop = witnessed(toyShop(new ToyWorld()), ledger);
  const idempotencyKey = "order:completed%2Fo-1%2Fpost-order/send-confirmation";
  await shop.sendConfirmation(completed, { idempotencyKey, attempt: 1, signal: AbortSignal.abort() });
  expect(told(ledger)[0]).toBe("begin order:completed/o-1/post-order step send-confirmation");
});
