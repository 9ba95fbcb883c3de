import { describe, expect, test } from "vitest";
import type { RunFigure } from "../src/run-figures.ts";
import { clickhouseTime, type OrderFigure } from "../src/tinybird.ts";
import { hasEngine, localTinybird } from "./local-tinybird.ts";

/** Back to before all dates here: pipes look at the last hours. */
const AGES = { hours: 100_000 };
const AGES_OF_MINUTES = { minutes: 6_000_000 };

const order = (order_id: string, timestamp: string, total_cents = 1_000): OrderFigure => ({
  order_id,
  user_id: "u-1",
  total_cents,
  item_count: 1,
  timestamp,
});

const ago = (ms: number): string => clickhouseTime(new Date(Date.now() - ms).toISOString()).slice(0, 19);
const HOUR_MS = 3_600_000;

const event = (id: string, at: string, more: Partial<RunFigure> = {}): RunFigure => ({
  id,
  at,
  type: "step.settled",
  run: "order-1",
  workflow: "order",
  version: "1",
  run_attempt: 1,
  step: "charge-payment",
  body: "step",
  outcome: "ok",
  ms: 10,
  code: "",
  ...more,
});

describe.skipIf(!hasEngine)("pipes", () => {
  test("answer no rows of empty tables", async () => {
    const { reader } = await localTinybird();
    const pipes = ["revenue_dashboard", "recent_orders", "failed_steps", "step_latency", "stuck_runs"];
    expect(await Promise.all(pipes.map((pipe) => reader.pipe(pipe)))).toEqual(pipes.map(() => []));
  });

  test("refuse what is no parameter, and never run it", async () => {
    const { reader, writer } = await localTinybird();
    await writer.append("orders", [order("o-1", ago(0))]);
    for (const hours of ["24; DROP TABLE orders", "24 HOUR OR 1=1 --", "", "1e9", "99999999999", "{n:Int32}"])
      await expect(reader.pipe("revenue_dashboard", { hours })).rejects.toThrow("400");
    await expect(reader.pipe("recent_orders", { seconds: 0 })).rejects.toThrow("400");
    await expect(reader.pipe("nothing")).rejects.toThrow("404");
    expect(await reader.pipe("revenue_dashboard", { "'; DROP TABLE orders": "x" })).toHaveLength(1);
  });
});

describe.skipIf(!hasEngine)("revenue_dashboard", () => {
  test("adds up each hour of UTC, newest first, at the borders of hours, days, months and years", async () => {
    const { reader, writer } = await localTinybird();
    await writer.append("orders", [
      order("a", "2025-12-31 23:00:00", 1_002),
      order("b", "2025-12-31 23:59:59", 2_000),
      order("c", "2026-01-01 00:00:00", 5),
      order("d", "2026-02-28 23:59:59"),
      order("e", "2026-03-01 00:00:00"),
      // Clocks of Berlin go from 2 to 3 at the first of these, and have the second hour twice.
      order("f", "2026-03-29 01:30:00"),
      order("g", "2026-10-25 00:30:00"),
      order("h", "2026-10-25 01:30:00"),
    ]);
    const one = (hour: string, dollars: number): object => ({
      hour: `${hour}:00:00`,
      order_count: 1,
      revenue_usd: dollars,
      avg_order_usd: dollars,
    });
    expect(await reader.pipe("revenue_dashboard", AGES)).toEqual([
      one("2026-10-25 01", 10),
      one("2026-10-25 00", 10),
      one("2026-03-29 01", 10),
      one("2026-03-01 00", 10),
      one("2026-02-28 23", 10),
      one("2026-01-01 00", 0.05),
      { hour: "2025-12-31 23:00:00", order_count: 2, revenue_usd: 30.02, avg_order_usd: 15.01 },
    ]);
  });

  test("looks at the last 24 hours, or at as many as it is asked for", async () => {
    const { reader, writer } = await localTinybird();
    await writer.append("orders", [
      order("now", ago(0)),
      order("in", ago(23.9 * HOUR_MS)),
      order("out", ago(24.1 * HOUR_MS)),
    ]);
    const orders = async (parameters = {}): Promise<number> => {
      const hours = await reader.pipe<{ order_count: number }>("revenue_dashboard", parameters);
      return hours.reduce((sum, { order_count }) => sum + order_count, 0);
    };
    expect(await orders()).toBe(2);
    expect(await orders({ hours: 25 })).toBe(3);
    expect(await orders({ hours: 1 })).toBe(1);
  });

  test("counts a row that was delivered again a single time, before and after ClickHouse merges", async () => {
    const { reader, writer } = await localTinybird();
    const rows = [order("o-1", "2026-01-31 23:59:59"), order("o-2", "2026-01-31 23:59:59", 3_000)];
    await Promise.all(Array.from({ length: 12 }, () => writer.append("orders", rows)));
    await writer.append("orders", [...rows, ...rows]);
    expect(await reader.pipe("revenue_dashboard", AGES)).toEqual([
      { hour: "2026-01-31 23:00:00", order_count: 2, revenue_usd: 40, avg_order_usd: 20 },
    ]);
  });
});

describe.skipIf(!hasEngine)("recent_orders", () => {
  test("adds up short intervals of the last hour, oldest first", async () => {
    const { reader, writer } = await localTinybird();
    const rows = [
      order("a", "2026-01-01 00:00:09"),
      order("b", "2026-01-01 00:00:10", 250),
      order("c", "2026-01-01 00:00:19", 250),
      order("d", "2026-01-01 00:00:20"),
    ];
    await writer.append("orders", rows);
    await writer.append("orders", rows.slice(1, 3));
    await writer.append("orders", [order("now", ago(0))]);
    expect(await reader.pipe("recent_orders")).toMatchObject([{ order_count: 1, revenue_usd: 10 }]);
    const all = await reader.pipe("recent_orders", { ...AGES_OF_MINUTES, seconds: 10 });
    expect(all.slice(0, 3)).toEqual([
      { at: "2026-01-01 00:00:00", order_count: 1, revenue_usd: 10 },
      { at: "2026-01-01 00:00:10", order_count: 2, revenue_usd: 5 },
      { at: "2026-01-01 00:00:20", order_count: 1, revenue_usd: 10 },
    ]);
  });
});

describe.skipIf(!hasEngine)("failed_steps", () => {
  test("counts each attempt a single time, and those that failed", async () => {
    const { reader, writer } = await localTinybird();
    const rows = [
      event("r:began", "2026-11-01 10:00:00.000", { type: "run.began", step: "", body: "" }),
      event("r:1", "2026-11-01 10:00:01.000"),
      event("r:retry:1:charge:1", "2026-11-01 10:00:02.500", { type: "step.retried", outcome: "" }),
      event("r:2", "2026-11-01 10:00:59.999", { outcome: "failed", code: "card_declined" }),
      event("r:3", "2026-11-01 10:01:00.000", { body: "undo" }),
      event("s:stuck:1", "2026-11-01 10:01:01.000", { type: "run.stuck", outcome: "", code: "EXHAUSTED" }),
      event("s:stuck:2", "2026-11-01 10:01:01.000", { type: "run.stuck", outcome: "", code: "DIVERGED" }),
      event("r:4", "2026-11-01 10:01:00.000", { type: "run.ended", step: "", body: "", outcome: "failed" }),
    ];
    await writer.append("run_events", rows);
    await writer.append("run_events", rows);
    expect(await reader.pipe("failed_steps", AGES_OF_MINUTES)).toEqual([
      { at: "2026-11-01 10:00:00", attempts: 3, failed: 2, rate: 0.6667 },
      { at: "2026-11-01 10:01:00", attempts: 2, failed: 1, rate: 0.5 },
    ]);
    expect(await reader.pipe("failed_steps", { ...AGES_OF_MINUTES, seconds: 1 })).toHaveLength(5);
  });
});

describe.skipIf(!hasEngine)("step_latency", () => {
  test("answers percentiles by workflow and step, uses of one step together", async () => {
    const { reader, writer } = await localTinybird();
    const took = (ms: number | null, more: Partial<RunFigure> = {}): RunFigure =>
      event(`${JSON.stringify(more)}:${ms}`, "2026-11-01 10:00:00.000", { ms, ...more });
    const rows = [
      ...Array.from({ length: 100 }, (_, index) => took(index + 1, { step: index % 2 ? "pay" : "pay#2" })),
      took(null, { step: "pay" }),
      took(5_000, { step: "pay", body: "undo" }),
      took(7, { step: "ask", type: "step.retried" }),
      took(3, { step: "hold[lamp#1]", workflow: "restock" }),
      took(5, { step: "hold[mug]", workflow: "restock" }),
      took(9_000, { type: "run.ended", step: "", body: "" }),
    ];
    await writer.append("run_events", rows);
    await writer.append("run_events", rows);
    expect(await reader.pipe("step_latency", AGES_OF_MINUTES)).toEqual([
      { workflow: "order", step: "ask", count: 1, p50_ms: 7, p95_ms: 7, p99_ms: 7 },
      { workflow: "order", step: "pay", count: 100, p50_ms: 51, p95_ms: 96, p99_ms: 100 },
      { workflow: "restock", step: "hold", count: 2, p50_ms: 5, p95_ms: 5, p99_ms: 5 },
    ]);
  });
});

describe.skipIf(!hasEngine)("stuck_runs", () => {
  const stuck = (run: string, at: string, more: Partial<RunFigure> = {}): RunFigure =>
    event(`${run}:stuck:${at}`, at, {
      type: "run.stuck",
      run,
      step: "",
      body: "",
      outcome: "",
      ms: null,
      code: "DIVERGED",
      ...more,
    });

  test("answers the runs whose newest event says so, longest first", async () => {
    const { reader, writer } = await localTinybird();
    const rows = [
      stuck("later", "2026-11-01 10:05:00.000", { step: "charge-payment", code: "IN_DOUBT" }),
      stuck("early", "2026-11-01 10:00:00.001", { workflow: "post-order" }),
      stuck("mended", "2026-11-01 10:00:00.000"),
      event("mended:9", "2026-11-01 10:00:00.000", { run: "mended", run_attempt: 2 }),
      stuck("again", "2026-11-01 10:00:00.000"),
      event("again:9", "2026-11-01 10:01:00.000", { run: "again", run_attempt: 2 }),
      stuck("again", "2026-11-01 10:01:00.000", { run_attempt: 2, code: "POISON" }),
      event("healthy:1", "2026-11-01 10:00:00.000", { run: "healthy" }),
    ];
    await writer.append("run_events", rows.toReversed());
    await writer.append("run_events", rows);
    expect(await reader.pipe("stuck_runs")).toEqual([
      { run: "early", workflow: "post-order", code: "DIVERGED", step: "", since: "2026-11-01 10:00:00.001" },
      { run: "again", workflow: "order", code: "POISON", step: "", since: "2026-11-01 10:01:00.000" },
      {
        run: "later",
        workflow: "order",
        code: "IN_DOUBT",
        step: "charge-payment",
        since: "2026-11-01 10:05:00.000",
      },
    ]);
    expect(await reader.pipe("stuck_runs", { limit: 1 })).toMatchObject([{ run: "early" }]);
  });
});
