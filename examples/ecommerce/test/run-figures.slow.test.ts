import { Client, type ShippedEvent, Worker, workflow } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { runFigures } from "../src/run-figures.ts";
import { hasEngine, localTinybird } from "./local-tinybird.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Interval {
  readonly attempts: number;
  readonly failed: number;
}

describe.skipIf(!hasEngine)("the figures of runs", () => {
  test("show a run that is stuck until it is mended, and count its steps once though a reply was lost", async () => {
    const { writer, reader, cause } = await localTinybird();
    let stockKnown = false;
    const order = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("reserve-inventory", () => "held");
      await ctx.step(
        "look-up-stock",
        () => {
          if (!stockKnown) throw new Error("no such shelf");
          return 3;
        },
        { retry: { maxAttempts: 2, initialDelay: 1, onExhausted: "stick" } },
      );
    });
    const toTinybird = runFigures(writer);
    const shipped: string[] = [];
    const ship = (events: readonly ShippedEvent[]): Promise<void> => {
      shipped.push(...events.map(({ id }) => id));
      return toTinybird(events);
    };
    const store = memoryStore();
    const worker = new Worker({ store, workflows: [order], logger: silent, outbox: { ship } });
    onTestFinished(() => void worker.stop());
    await cause("lose-reply", 1);
    await worker.start();
    const client = new Client({ store });
    const run = await client.start(order, undefined, { id: "order-1" });

    const stuck = (): Promise<readonly object[]> => reader.pipe("stuck_runs");
    await expect
      .poll(stuck)
      .toMatchObject([{ run: "order-1", workflow: "order", code: "EXHAUSTED", step: "look-up-stock" }]);

    stockKnown = true;
    await client.runs.resume("order-1");
    await run.result();
    await expect.poll(stuck).toEqual([]);
    await worker.stop();
    expect(shipped.length).toBeGreaterThan(new Set(shipped).size);
    const intervals = await reader.pipe<Interval>("failed_steps");
    expect(intervals.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(4);
    expect(intervals.reduce((sum, { failed }) => sum + failed, 0)).toBe(2);
  });
});
