import { join } from "node:path";
import { expect, test } from "vitest";
import { EffectLedger } from "../src/books/effect-ledger.ts";
import { temporaryFolder } from "./temporary-folder.ts";

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
