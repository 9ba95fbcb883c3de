import { Client, FatalError, type ShippedEvent, Worker, workflow } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import { describe, expect, test } from "vitest";
import { type RunFigure, runFigure, runFigures } from "../src/run-figures.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const event: ShippedEvent = {
  id: "order-1:stuck:2",
  at: "2026-11-23T06:10:00.120Z",
  run: "order-1",
  workflow: "order",
  version: "1",
  runAttempt: 2,
  type: "run.stuck",
  code: "DIVERGED",
  step: null,
};

/** What becomes of one run, as rows. */
async function figuresOf(body: () => unknown, compensate?: () => unknown): Promise<readonly RunFigure[]> {
  const store = memoryStore();
  const figures: RunFigure[] = [];
  const tinybird = {
    append: (_: string, rows: readonly object[]) =>
      Promise.resolve(void figures.push(...(rows as RunFigure[]))),
  };
  const order = workflow({ name: "order" }, async (ctx) => {
    await ctx.step("reserve", () => "held", compensate === undefined ? {} : { compensate });
    await ctx.step("charge", body, { retry: { maxAttempts: 2, initialDelay: 1 } });
  });
  const ship = runFigures(tinybird);
  const worker = new Worker({ store, workflows: [order], logger: silent, outbox: { ship } });
  await worker.start();
  const client = new Client({ store });
  const run = await client.start(order, undefined, { id: "order-1" });
  await run.result().catch(() => undefined);
  await worker.stop();
  return figures;
}

describe("the rows of a run", () => {
  test("that completes", async () => {
    const figures = await figuresOf(() => "charged");
    expect(figures).toMatchObject([
      { type: "run.began", run: "order-1", workflow: "order", step: "", outcome: "", ms: null, code: "" },
      { type: "step.settled", step: "reserve", body: "step", outcome: "ok", code: "" },
      { type: "step.settled", step: "charge", body: "step", outcome: "ok", code: "" },
      { type: "run.ended", step: "", body: "", outcome: "completed", code: "" },
    ]);
    expect(new Set(figures.map(({ id }) => id)).size).toBe(figures.length);
    for (const { at } of figures) expect(at).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
  });

  test("that fails and is undone: codes of errors, and never their messages", async () => {
    const declined = (): never => {
      throw Object.assign(new Error("card of Ada Lovelace declined"), { code: "card_declined" });
    };
    const figures = await figuresOf(declined, () => undefined);
    expect(figures).toMatchObject([
      { type: "run.began" },
      { type: "step.settled", step: "reserve" },
      { type: "step.retried", step: "charge", body: "step", outcome: "", code: "card_declined" },
      { type: "step.settled", step: "charge", outcome: "failed", code: "card_declined" },
      { type: "step.settled", step: "reserve", body: "undo", outcome: "ok" },
      { type: "run.ended", outcome: "failed" },
    ]);
    expect(JSON.stringify(figures)).not.toContain("Lovelace");
  });

  test("that is stuck", () => {
    expect(runFigure(event)).toEqual({
      id: "order-1:stuck:2",
      at: "2026-11-23 06:10:00.120",
      type: "run.stuck",
      run: "order-1",
      workflow: "order",
      version: "1",
      run_attempt: 2,
      step: "",
      body: "",
      outcome: "",
      ms: null,
      code: "DIVERGED",
    });
  });
});

describe("shipping", () => {
  test("that meets a trouble fails, so that the outbox brings the events again", async () => {
    const ship = runFigures({ append: () => Promise.reject(new Error("Tinybird answered 503")) });
    await expect(ship([event])).rejects.toThrow("503");
  });

  test("goes on past events that don't fit, and says so: again they would not fit either", async () => {
    const warnings: string[] = [];
    const quarantined = new FatalError("1 of 2 rows don't fit", { code: "rows_quarantined" });
    const ship = runFigures({ append: () => Promise.reject(quarantined) }, (line) => warnings.push(line));
    await ship([event]);
    expect(warnings).toEqual(["figures: 1 of 2 rows don't fit; they are kept in run_events_quarantine"]);
  });
});
