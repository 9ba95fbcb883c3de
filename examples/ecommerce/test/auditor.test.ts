import { join } from "node:path";
import { workflow } from "@everstep/core";
import { testWorker } from "@everstep/core/testing";
import { expect, onTestFinished, test } from "vitest";
import { EffectLedger } from "../src/books/effect-ledger.ts";
import { Auditor } from "../src/demo/auditor.ts";
import { temporaryFolder } from "./temporary-folder.ts";

test("an order that is canceled behind its point of no return counts as completed, one before it does not", async () => {
  const order = workflow({ name: "order" }, async (ctx, isConfirmed: boolean) => {
    if (isConfirmed) await ctx.pivot("order-confirmed");
    await ctx.waitForSignal("never");
  });
  const worker = await testWorker({ workflows: [order] });
  onTestFinished(() => worker.stop());
  for (const isConfirmed of [true, false]) {
    const run = await worker.start(order, isConfirmed, { id: isConfirmed ? "late" : "early" });
    await worker.idle();
    await run.cancel();
  }
  await worker.idle();
  const auditor = new Auditor(worker.client, new EffectLedger(join(temporaryFolder(), "effects.jsonl")));
  await auditor.look();
  const { runs } = await auditor.runsByKind();
  expect(new Map(runs.map(({ id, status }) => [id, status]))).toEqual(
    new Map([
      ["late", "completed"],
      ["early", "canceled"],
    ]),
  );
});
