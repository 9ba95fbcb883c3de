import { RetryAfterError } from "@everstep/core";
import { z } from "zod";
import type { Tinybird } from "../tinybird.ts";
import { type Figures, SOURCES, type Source, WINDOW } from "./figures.ts";

/** All that is read from Tinybird. */
export type Pipes = Pick<Tinybird, "pipe">;

/** What a pipe answered last, and what keeps it from answering now. */
export interface Reading<Rows> {
  readonly rows: Rows;
  /** Milliseconds; null when it never answered. */
  readonly age: number | null;
  readonly trouble: string | null;
}

export type Snapshot = { readonly [Name in keyof Figures]: Reading<Figures[Name]> } & {
  /** The server's clock, in milliseconds since 1970: the browser's may be wrong. */
  readonly now: number;
  /** What `orders` and `attempts` span, and how long their intervals are. */
  readonly window: typeof WINDOW;
};

export type Watcher = (snapshot: Snapshot) => void;

/** What a message to the page quotes of an error. */
const QUOTED_MAX = 200;

/** Reads the figures once a period for all who watch together, and not at all while nobody does. */
export class FiguresFeed {
  readonly #figures: { readonly [Name in keyof Figures]: Figure<Figures[Name][number]> };
  readonly #everyMs: number;
  readonly #watchers = new Set<Watcher>();
  #reading: Promise<void> | undefined;

  constructor(pipes: Pipes, everyMs: number) {
    this.#everyMs = everyMs;
    this.#figures = {
      revenue: new Figure(pipes, SOURCES.revenue),
      orders: new Figure(pipes, SOURCES.orders),
      attempts: new Figure(pipes, SOURCES.attempts),
      latencies: new Figure(pipes, SOURCES.latencies),
      stuck: new Figure(pipes, SOURCES.stuck),
    };
  }

  /** Tells `watcher` the figures now and once a period, until the answered function is called. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    if (this.#reading !== undefined) watcher(this.#snapshot());
    this.#reading ??= this.#read();
    return () => void this.#watchers.delete(watcher);
  }

  async #read(): Promise<void> {
    while (this.#watchers.size > 0) {
      const period = new Promise((over) => setTimeout(over, this.#everyMs));
      const answers = Object.values(this.#figures).map((figure) => figure.refresh());
      // A pipe that is slow to answer holds up neither the others nor the news that it is slow.
      await Promise.race([Promise.all(answers), period]);
      const snapshot = this.#snapshot();
      for (const watcher of this.#watchers) watcher(snapshot);
      await period;
    }
    this.#reading = undefined;
  }

  #snapshot(): Snapshot {
    const now = Date.now();
    const { revenue, orders, attempts, latencies, stuck } = this.#figures;
    return {
      now,
      window: WINDOW,
      revenue: revenue.reading(now),
      orders: orders.reading(now),
      attempts: attempts.reading(now),
      latencies: latencies.reading(now),
      stuck: stuck.reading(now),
    };
  }
}

/** The rows of one pipe. What it answered last stays when it fails. */
class Figure<Row> {
  readonly #pipes: Pipes;
  readonly #source: Source<Row>;
  #rows: readonly Row[] = [];
  #readAt: number | null = null;
  #trouble: string | null = null;
  #isAsking = false;
  #askAgainAt = 0;

  constructor(pipes: Pipes, source: Source<Row>) {
    this.#pipes = pipes;
    this.#source = source;
  }

  /** Never rejects. One question is under way at a time, and none while Tinybird has asked for a pause. */
  async refresh(): Promise<void> {
    if (this.#isAsking || Date.now() < this.#askAgainAt) return;
    this.#isAsking = true;
    const askedAt = Date.now();
    try {
      const rows = await this.#pipes.pipe(this.#source.pipe, this.#source.parameters);
      this.#rows = z.array(this.#source.row).parse(rows);
      this.#readAt = askedAt;
      this.#trouble = null;
    } catch (error) {
      this.#trouble = `${this.#source.pipe}: ${reasonOf(error)}`.slice(0, QUOTED_MAX);
      if (error instanceof RetryAfterError) this.#askAgainAt = endOfPause(error.after);
    } finally {
      this.#isAsking = false;
    }
  }

  reading(now: number): Reading<readonly Row[]> {
    const age = this.#readAt === null ? null : Math.max(0, now - this.#readAt);
    return { rows: this.#rows, age, trouble: this.#trouble };
  }
}

/** A pause of hours would be a mistake of somebody's: the page looks again. */
const PAUSE_MAX_MS = 60_000;

function endOfPause(after: RetryAfterError["after"]): number {
  const now = Date.now();
  const end = typeof after === "number" ? now + after : new Date(after).getTime();
  return Math.min(end, now + PAUSE_MAX_MS);
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) return `its rows are not as expected (${error.issues[0]?.message ?? ""})`;
  if (!(error instanceof Error)) return String(error);
  // What fetch throws says "fetch failed", and its cause what happened.
  const cause: unknown = error.cause;
  return cause instanceof Error && cause.message !== ""
    ? `${error.message} (${cause.message})`
    : error.message;
}
