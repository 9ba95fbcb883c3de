/** What people and their tools look for in a store, and what they are shown: part of the port, see `store.ts`. */
import type { EndStatus, RunRecord, RunStatus, WorkerRecord } from "./store.ts";

export interface RunFilter {
  readonly ids?: readonly string[];
  /** Runs whose ids begin with it. */
  readonly idPrefix?: string;
  readonly status?: RunStatus | readonly RunStatus[];
  readonly workflow?: string;
  readonly version?: string;
  /** Runs that this run started. */
  readonly parent?: string;
  readonly paused?: boolean;
  /** Runs that have all of these tags. */
  readonly tag?: Readonly<Record<string, string>>;
  /** Created at or after, before: milliseconds since the epoch. */
  readonly since?: number;
  readonly until?: number;
  /** Ended before: milliseconds since the epoch. */
  readonly endedBefore?: number;
}

export interface PageRequest {
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
  readonly order?: "newest" | "oldest";
}

export interface Page {
  readonly now: number;
  readonly runs: readonly RunRecord[];
  readonly next: string | null;
}

/** A worker that nobody has taken over; when its lease is over, that is to come. */
export interface WorkerLoad extends WorkerRecord {
  /** How many runs it owns. */
  readonly runs: number;
}

/** Runs that have not ended, of one version and status. */
export interface LiveFigures {
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  readonly runs: number;
  /** How many of them are paused. */
  readonly paused: number;
  /** When the first of them is due, or was; null when none is due by itself. */
  readonly firstDueAt: number | null;
  /** When the oldest of them was created. */
  readonly oldestAt: number;
}

/** Runs that ended, and how long they took from their creation on, by nearest rank. */
export interface EndedFigures {
  readonly workflow: string;
  readonly status: EndStatus;
  readonly runs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

/** Which ended runs are counted: those that ended and were created at or after these instants. */
export interface FiguresSpan {
  readonly endedSince: number;
  readonly createdSince: number;
}

export interface Figures {
  readonly now: number;
  /** By workflow, version and status. */
  readonly live: readonly LiveFigures[];
  /** By workflow and status. */
  readonly ended: readonly EndedFigures[];
}

/** Something about a store that was looked at. */
export interface Finding {
  /** Stable, such as `durability`. */
  readonly check: string;
  /** `warning`: it works, and may not do so for long. `problem`: what everstep promises does not hold. */
  readonly is: "fine" | "warning" | "problem";
  /** What was found, with its numbers. */
  readonly found: string;
  /** What to do; null when it is fine. */
  readonly remedy: string | null;
}
