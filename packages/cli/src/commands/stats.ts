import type { Figures, Store } from "@everstep/core";
import type { Command } from "commander";
import { isoOf } from "../documents.ts";
import { withExamples } from "../examples.ts";
import { usageError } from "../failure.ts";
import type { Frame, Work } from "../frame.ts";
import { parseDuration } from "../human.ts";

interface Options {
  readonly window: string;
}

export interface StatsDocument {
  readonly at: string;
  /** Runs that have not ended, by workflow, version and status. */
  readonly live: readonly {
    readonly workflow: string;
    readonly version: string;
    readonly status: string;
    readonly runs: number;
    readonly paused: number;
    readonly firstDueAt: string | null;
    readonly oldestAt: string;
  }[];
  /** Runs that ended within the window and took less than a week more than it, by workflow and status. */
  readonly ended: readonly {
    readonly workflow: string;
    readonly status: string;
    readonly runs: number;
    readonly perMinute: number;
    readonly medianMs: number;
    readonly p95Ms: number;
    readonly maxMs: number;
  }[];
  readonly windowMs: number;
}

/** How long before the window a run may have been created: a store may know ended runs by their creation only. */
const LOOKBACK_MS = 7 * 86_400_000;

export function addStats(program: Command, frame: Frame): void {
  const command = program
    .command("stats")
    .summary("runs by workflow and status, rates, durations, what is overdue")
    .description("Counts the runs that have not ended, and those that ended lately.")
    .option("--window <duration>", "how far back ended runs are counted", "1h")
    .action(frame.withStore<Options>(stats));
  withExamples(command, [
    ["stats", "now, and the last hour"],
    ["stats --window 1d --json", "a day, for a dashboard"],
  ]);
}

const stats: Work<Options> = async ({ store, out, options }) => {
  const windowMs = parseDuration(options.window, "--window");
  if (windowMs === 0) throw usageError("--window is longer than nothing, such as 1h");
  const { statsText } = await import("../render/stats-text.ts");
  out.show(statsDocument(await figuresOf(store, windowMs), windowMs), statsText);
};

/** By the store's clock. */
async function figuresOf(store: Store, windowMs: number): Promise<Figures> {
  const { now } = await store.list({}, { limit: 1 });
  const endedSince = now - windowMs;
  return store.figures({ endedSince, createdSince: endedSince - LOOKBACK_MS });
}

function statsDocument({ now, live, ended }: Figures, windowMs: number): StatsDocument {
  return {
    at: new Date(now).toISOString(),
    live: live.map(({ firstDueAt, oldestAt, ...figures }) => ({
      ...figures,
      firstDueAt: isoOf(firstDueAt),
      oldestAt: new Date(oldestAt).toISOString(),
    })),
    ended: ended.map((figures) => ({
      ...figures,
      perMinute: Math.round((100 * figures.runs) / (windowMs / 60_000)) / 100,
    })),
    windowMs,
  };
}
