/**
 * What the page for operations shows: five pipes, and of what shape their rows are. They are the page's only source: it never asks the
 * database of the orders for anything.
 */
import { z } from "zod";

/** ClickHouse's `YYYY-MM-DD HH:MM:SS`, UTC, with or without a fraction, as seconds since 1970. */
const instant = z
  .string()
  .transform((text) => Date.parse(`${text.replace(" ", "T")}Z`) / 1000)
  .refine((seconds) => Number.isFinite(seconds), "is not YYYY-MM-DD HH:MM:SS");

/** ClickHouse writes 64-bit integers as numbers or as texts, as its settings say. */
const figure = z.coerce.number();
const count = figure.pipe(z.int().min(0));

interface RevenueHour {
  /** Its beginning, in seconds since 1970; so is every `at` here. */
  readonly at: number;
  readonly orders: number;
  readonly usd: number;
}

interface OrderBucket {
  readonly at: number;
  readonly orders: number;
}

interface AttemptBucket {
  readonly at: number;
  readonly attempts: number;
  readonly failed: number;
}

export interface StepLatency {
  readonly workflow: string;
  readonly step: string;
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface StuckRun {
  readonly run: string;
  readonly workflow: string;
  readonly code: string;
  readonly step: string;
  readonly at: number;
}

export interface Figures {
  readonly revenue: readonly RevenueHour[];
  readonly orders: readonly OrderBucket[];
  readonly attempts: readonly AttemptBucket[];
  readonly latencies: readonly StepLatency[];
  readonly stuck: readonly StuckRun[];
}

/** The stretch that the page shows in short intervals, and how long those are. */
export const WINDOW = { minutes: 10, seconds: 10 } as const;

export interface Source<Row> {
  readonly pipe: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly row: z.ZodType<Row>;
}

export const SOURCES: { readonly [Name in keyof Figures]: Source<Figures[Name][number]> } = {
  revenue: {
    pipe: "revenue_dashboard",
    parameters: {},
    row: z
      .object({ hour: instant, order_count: count, revenue_usd: figure })
      .transform((row) => ({ at: row.hour, orders: row.order_count, usd: row.revenue_usd })),
  },
  orders: {
    pipe: "recent_orders",
    parameters: WINDOW,
    row: z
      .object({ at: instant, order_count: count })
      .transform((row) => ({ at: row.at, orders: row.order_count })),
  },
  attempts: {
    pipe: "failed_steps",
    parameters: WINDOW,
    row: z.object({ at: instant, attempts: count, failed: count }),
  },
  latencies: {
    pipe: "step_latency",
    parameters: {},
    row: z
      .object({
        workflow: z.string(),
        step: z.string(),
        count,
        p50_ms: figure,
        p95_ms: figure,
        p99_ms: figure,
      })
      .transform(({ p50_ms, p95_ms, p99_ms, ...row }) => ({
        ...row,
        p50Ms: p50_ms,
        p95Ms: p95_ms,
        p99Ms: p99_ms,
      })),
  },
  stuck: {
    pipe: "stuck_runs",
    // One more than the page lists, so that it knows whether there are more.
    parameters: { limit: 101 },
    row: z
      .object({ run: z.string(), workflow: z.string(), code: z.string(), step: z.string(), since: instant })
      .transform(({ since, ...row }) => ({ ...row, at: since })),
  },
};
