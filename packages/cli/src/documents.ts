/** What commands answer, as plain JSON: the contract of `--json`. Instants are ISO 8601 in UTC; what is absent is null, or not there where it is said. */
import type { RunSummary } from "@everstep/core";

export interface RunDocument {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunSummary["status"];
  readonly paused: PauseDocument | null;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly parent: RunSummary["parent"];
  readonly event: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly dueAt: string | null;
  readonly waits: readonly { readonly kind: string; readonly key: string; readonly until: string | null }[];
  readonly stuck: { readonly code: string; readonly message: string; readonly at: string } | null;
  /** What it failed with, or why it was canceled. */
  readonly error: ErrorDocument | null;
}

export interface ErrorDocument {
  readonly name: string;
  readonly message: string;
  readonly code: string | null;
  readonly cause: ErrorDocument | null;
}

interface PauseDocument {
  readonly at: string;
  readonly by: string | null;
  readonly because: string | null;
}

export function runDocument(run: RunSummary): RunDocument {
  const { id, workflow, version, status, priority, tags, parent, event, paused, stuck } = run;
  return {
    id,
    workflow,
    version,
    status,
    paused: paused === null ? null : { ...paused, at: paused.at.toISOString() },
    priority,
    tags,
    parent,
    event,
    createdAt: run.createdAt.toISOString(),
    startedAt: isoOf(run.startedAt),
    endedAt: isoOf(run.endedAt),
    dueAt: isoOf(run.dueAt),
    waits: run.waits.map(({ kind, key, until }) => ({ kind, key, until: isoOf(until) })),
    stuck: stuck === null ? null : { ...stuck, at: stuck.at.toISOString() },
    error: errorDocument(run.error),
  };
}

const CAUSES_MAX = 5;

export function errorDocument(error: unknown, depth = 0): ErrorDocument | null {
  if (!(error instanceof Error)) return null;
  const { name, message, cause } = error;
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  return { name, message, code, cause: depth < CAUSES_MAX ? errorDocument(cause, depth + 1) : null };
}

export function isoOf(at: Date | number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
