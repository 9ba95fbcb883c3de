import { RetryAfterError } from "@everstep/core";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FiguresFeed, type Pipes, type Snapshot } from "../src/operations/figures-feed.ts";

const SECOND = 1000;

/** What the pipes answer, and how often each was asked. */
class Answers {
  readonly asked: string[] = [];
  rows: Record<string, readonly object[]> = {};
  /** By pipe: thrown instead of an answer. */
  failures = new Map<string, Error>();
  /** Pipes that don't answer at all. */
  readonly silent = new Set<string>();

  readonly pipes: Pipes = {
    pipe: async <Row>(name: string) => {
      this.asked.push(name);
      if (this.silent.has(name)) return new Promise<never>(() => {});
      const failure = this.failures.get(name);
      if (failure !== undefined) throw failure;
      return (this.rows[name] ?? []) as readonly Row[];
    },
  };

  times(name: string): number {
    return this.asked.filter((each) => each === name).length;
  }
}

let answers: Answers;
let feed: FiguresFeed;
let told: Snapshot[];

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 3, 14, 0, 0) });
  answers = new Answers();
  feed = new FiguresFeed(answers.pipes, SECOND);
  told = [];
});
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const newest = (): Snapshot | undefined => told.at(-1);

describe("who watches", () => {
  test("is told at once, and every second", async () => {
    feed.watch((snapshot) => told.push(snapshot));
    await pass(0);
    expect(told).toHaveLength(1);
    await pass(3 * SECOND);
    expect(told).toHaveLength(4);
  });

  test("shares the questions with all others", async () => {
    for (let watcher = 0; watcher < 50; watcher++) feed.watch((snapshot) => told.push(snapshot));
    await pass(9 * SECOND);
    expect(answers.times("revenue_dashboard")).toBe(10);
    expect(told.length).toBeGreaterThanOrEqual(500);
  });

  test("is told what is known when others watch already", async () => {
    answers.rows["stuck_runs"] = [stuckRow("order-1")];
    feed.watch(() => {});
    await pass(0);
    feed.watch((snapshot) => told.push(snapshot));
    expect(newest()?.stuck.rows).toHaveLength(1);
  });

  test("asks nothing once everybody has left, and again when somebody comes back", async () => {
    const leave = feed.watch(() => {});
    await pass(0);
    leave();
    await pass(60 * SECOND);
    expect(answers.times("revenue_dashboard")).toBe(1);
    feed.watch((snapshot) => told.push(snapshot));
    await pass(0);
    expect(answers.times("revenue_dashboard")).toBe(2);
    expect(newest()?.revenue.age).toBe(0);
  });
});

describe("the rows of a pipe", () => {
  test("are numbers and instants, whatever ClickHouse makes of 64-bit integers", async () => {
    answers.rows = {
      revenue_dashboard: [
        { hour: "2026-11-03 14:00:00", order_count: "2", revenue_usd: 98.5, avg_order_usd: 49.25 },
      ],
      failed_steps: [{ at: "2026-11-03 13:59:45", attempts: 8, failed: "1", rate: 0.125 }],
      stuck_runs: [stuckRow("order-1")],
    };
    feed.watch((snapshot) => told.push(snapshot));
    await pass(0);
    const hour = Date.UTC(2026, 10, 3, 14) / SECOND;
    expect(newest()?.revenue.rows).toEqual([{ at: hour, orders: 2, usd: 98.5 }]);
    expect(newest()?.attempts.rows).toEqual([{ at: hour - 15, attempts: 8, failed: 1 }]);
    expect(newest()?.stuck.rows).toMatchObject([{ run: "order-1", at: hour - 60 + 0.25 }]);
  });

  test("that have another shape are a trouble with the name of the pipe", async () => {
    answers.rows["recent_orders"] = [{ at: "yesterday", order_count: 1 }];
    feed.watch((snapshot) => told.push(snapshot));
    await pass(0);
    expect(newest()?.orders.trouble).toMatch(/^recent_orders: its rows are not as expected/);
    expect(newest()?.revenue.trouble).toBeNull();
  });
});

describe("a pipe", () => {
  test("that fails keeps its rows, which age, and the others go on", async () => {
    answers.rows["stuck_runs"] = [stuckRow("order-1")];
    feed.watch((snapshot) => told.push(snapshot));
    await pass(0);
    const refused = new Error("connect ECONNREFUSED 127.0.0.1:12113");
    answers.failures.set("stuck_runs", new TypeError("fetch failed", { cause: refused }));
    await pass(30 * SECOND);
    expect(newest()?.stuck).toMatchObject({
      rows: [{ run: "order-1" }],
      age: 30 * SECOND,
      trouble: "stuck_runs: fetch failed (connect ECONNREFUSED 127.0.0.1:12113)",
    });
    expect(newest()?.revenue).toMatchObject({ age: 0, trouble: null });

    answers.failures.clear();
    await pass(SECOND);
    expect(newest()?.stuck).toMatchObject({ age: 0, trouble: null });
  });

  test("that never answered has no age", async () => {
    answers.failures.set("stuck_runs", new Error("no"));
    feed.watch((snapshot) => told.push(snapshot));
    await pass(5 * SECOND);
    expect(newest()?.stuck).toEqual({ rows: [], age: null, trouble: "stuck_runs: no" });
  });

  test("that is silent is asked one question at a time, and holds up no other", async () => {
    answers.silent.add("step_latency");
    feed.watch((snapshot) => told.push(snapshot));
    await pass(10 * SECOND);
    expect(answers.times("step_latency")).toBe(1);
    expect(answers.times("revenue_dashboard")).toBeGreaterThanOrEqual(10);
    expect(newest()?.revenue.age).toBeLessThanOrEqual(SECOND);
  });

  test("is left alone for as long as Tinybird asks for, but for a minute at most", async () => {
    feed.watch((snapshot) => told.push(snapshot));
    answers.failures.set("recent_orders", new RetryAfterError("429", { after: 5 * SECOND }));
    const tomorrow = new Date(Date.now() + 86_400 * SECOND);
    answers.failures.set("failed_steps", new RetryAfterError("503", { after: tomorrow }));
    await pass(4 * SECOND);
    expect(answers.times("recent_orders")).toBe(2);
    await pass(2 * SECOND);
    expect(answers.times("recent_orders")).toBe(3);
    expect(answers.times("failed_steps")).toBe(2);
    await pass(60 * SECOND);
    expect(answers.times("failed_steps")).toBe(3);
  });
});

function stuckRow(run: string): object {
  return { run, workflow: "order", code: "BUG", step: "", since: "2026-11-03 13:59:00.250" };
}
