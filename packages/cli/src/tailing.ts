/** Follows runs: what became of them since they were looked at last. Hints make it quick; without them it looks every second. */
import type { Client, RunFilter, RunReport, RunStatus, RunSummary } from "@everstep/core";
import { errorDocument, type ErrorDocument } from "./documents.ts";
import { type EntryDocument, entries } from "./run-document.ts";

export type TailDocument =
  | {
      readonly type: "entry";
      readonly run: string;
      readonly workflow: string;
      readonly entry: EntryDocument;
    }
  | {
      readonly type: "status";
      readonly run: string;
      readonly workflow: string;
      readonly status: RunStatus;
      readonly at: string;
      /** Of a run that failed or was canceled; of one that is stuck, with its code. */
      readonly error: ErrorDocument | null;
    };

interface Known {
  readonly summary: RunSummary;
  /** The last entry that was told. */
  readonly seq: number;
}

const LIVE: readonly RunStatus[] = ["ready", "running", "waiting", "compensating", "stuck"];
const ENDED: ReadonlySet<RunStatus> = new Set(["completed", "failed", "canceled"]);

export interface TailOptions {
  readonly filter: RunFilter;
  /** Runs created from here on are told of from their first entry; all others from now on. */
  readonly since: number;
  /** At most so many runs are followed: the newest. */
  readonly runsMax: number;
}

export class Tail {
  readonly #client: Client;
  readonly #options: TailOptions;
  readonly #known = new Map<string, Known>();
  #isFirst = true;

  constructor(client: Client, options: TailOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Whether all that it follows have ended. */
  get isOver(): boolean {
    return this.#following().length === 0;
  }

  /** What has become of them, run by run. */
  async look(): Promise<readonly TailDocument[]> {
    const told: TailDocument[] = [];
    for (const summary of await this.#candidates()) {
      const known = this.#known.get(summary.id);
      if (known !== undefined && isSame(known.summary, summary)) continue;
      const report = await this.#client.runs.read(summary.id).catch(ofPurged);
      if (report !== undefined) told.push(...this.#news(report, known));
    }
    this.#isFirst = false;
    return told;
  }

  /** Those that live, those that are new, and those that were followed and are perhaps over; the oldest first. */
  async #candidates(): Promise<readonly RunSummary[]> {
    const { filter, since, runsMax } = this.#options;
    const { runs } = this.#client;
    const ids = this.#following();
    const [live, recent, followed] = await Promise.all([
      runs.list({ status: LIVE, ...filter, limit: runsMax }),
      runs.list({ ...filter, since: Math.max(since, filter.since ?? 0), limit: runsMax }),
      runs.list({ ids, limit: ids.length }),
    ]);
    const all = new Map([live, recent, followed].flatMap((page) => page.runs).map((run) => [run.id, run]));
    // What ended and is listed no more need not be known to have been told.
    for (const id of this.#known.keys()) if (!all.has(id)) this.#known.delete(id);
    return [...all.values()].toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
  }

  #following(): readonly string[] {
    return [...this.#known.values()]
      .filter(({ summary }) => !ENDED.has(summary.status))
      .map(({ summary }) => summary.id);
  }

  #news(report: RunReport, known: Known | undefined): readonly TailDocument[] {
    const { id: run, workflow, status, journal } = report;
    const last = journal.at(-1)?.seq ?? 0;
    const isOld = known === undefined && this.#isFirst && report.createdAt.getTime() < this.#options.since;
    const from = isOld ? last : (known?.seq ?? 0);
    this.#known.set(run, { summary: report, seq: last });
    const news = entries(journal, false)
      .filter(({ seq }) => seq > from)
      .map((entry) => ({ type: "entry", run, workflow, entry }) as const);
    return isOld || known?.summary.status === status ? news : [...news, statusDocument(report)];
  }
}

function ofPurged(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "RUN_NOT_FOUND") return;
  throw error;
}

/** A run that is executed may have new entries at any time. */
function isSame(before: RunSummary, now: RunSummary): boolean {
  return (
    now.status !== "running" &&
    before.status === now.status &&
    before.dueAt?.getTime() === now.dueAt?.getTime() &&
    JSON.stringify(before.waits) === JSON.stringify(now.waits)
  );
}

function statusDocument({
  id: run,
  workflow,
  status,
  error,
  stuck,
  endedAt,
  journal,
}: RunReport): TailDocument {
  const at = stuck?.at ?? endedAt ?? journal.at(-1)?.at ?? new Date(0);
  const why =
    stuck === null
      ? errorDocument(error)
      : { name: "Stuck", message: stuck.message, code: stuck.code, cause: null };
  return { type: "status", run, workflow, status, at: at.toISOString(), error: why };
}
