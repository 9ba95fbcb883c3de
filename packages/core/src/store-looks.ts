/** What people and their tools look for in a store, and what they are shown: part of the port, see `store.ts`. */
import type { RunRecord, RunStatus } from "./store.ts";

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
