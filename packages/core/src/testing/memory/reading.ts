/** Reads of one moment: a run, a page of runs, their number. */
import { statusOf } from "../../engine/status.ts";
import { StoreError } from "../../errors.ts";
import type { Page, PageRequest, RunDetails, RunFilter, RunRecord, WorkerRecord } from "../../store.ts";
import { claimOf } from "./leases.ts";
import { canRun, isCapable, type MemoryData, type RunRow, type WorkerRow } from "./rows.ts";

export function read(data: MemoryData, runId: string, now: number): RunDetails | undefined {
  const row = data.runs.get(runId);
  if (row === undefined) return undefined;
  const owner = row.run.owner === null ? undefined : data.workers.get(row.run.owner);
  return {
    ...claimOf(row),
    now,
    owner: owner === undefined ? null : workerRecord(owner),
    capable: [...data.workers.values()].filter(
      (worker) => isCapable(worker, now) && canRun(worker.workflows, row.run),
    ).length,
    workflowPaused: data.pauses.get(row.run.workflow) ?? null,
  };
}

export function workerRecord({ id, live, expiresAt, host, pid, workflows }: WorkerRow): WorkerRecord {
  return { id, live, expiresAt, host, pid, workflows };
}

export function list(data: MemoryData, filter: RunFilter, page: PageRequest, now: number): Page {
  const newestFirst = page.order !== "oldest";
  const after = page.after === undefined ? undefined : placeOf(page.after);
  const rows = [...data.runs.values()]
    .filter(({ run }) => matches(run, filter, now))
    .toSorted((a, b) => comparePlaces(a, b, newestFirst))
    .filter((row) => after === undefined || comparePlaces(after, row, newestFirst) < 0);
  const runs = rows.slice(0, page.limit);
  const last = runs.at(-1);
  const next = rows.length > runs.length && last !== undefined ? `${last.run.createdAt}.${last.no}` : null;
  return { now, runs: runs.map(({ run }) => run), next };
}

export function count(data: MemoryData, filter: RunFilter, now: number): number {
  return [...data.runs.values()].filter(({ run }) => matches(run, filter, now)).length;
}

/** Where a run stands in a list; pages are cut by it, so that new runs move nobody to another page. */
type Place = Pick<RunRow, "no"> & { readonly run: Pick<RunRecord, "createdAt"> };

function comparePlaces(a: Place, b: Place, newestFirst: boolean): number {
  const order = a.run.createdAt - b.run.createdAt || a.no - b.no;
  return newestFirst ? -order : order;
}

function placeOf(cursor: string): Place {
  const [createdAt, no] = cursor.split(".").map(Number);
  if (!Number.isSafeInteger(createdAt) || !Number.isSafeInteger(no)) {
    throw new StoreError(`"${cursor}" is not the end of a page: pass \`next\` of the page before`);
  }
  return { no: Number(no), run: { createdAt: Number(createdAt) } };
}

function matches(run: RunRecord, filter: RunFilter, now: number): boolean {
  const {
    ids,
    idPrefix,
    status,
    workflow,
    version,
    parent,
    paused,
    tag = {},
    since,
    until,
    endedBefore,
  } = filter;
  return (
    (ids === undefined || ids.includes(run.id)) &&
    (idPrefix === undefined || run.id.startsWith(idPrefix)) &&
    (status === undefined || [status].flat().includes(statusOf(run, now))) &&
    (workflow === undefined || run.workflow === workflow) &&
    (version === undefined || run.version === version) &&
    (parent === undefined || run.parent?.runId === parent) &&
    (paused === undefined || (run.paused !== null) === paused) &&
    Object.entries(tag).every(([name, value]) => Object.hasOwn(run.tags, name) && run.tags[name] === value) &&
    (since === undefined || run.createdAt >= since) &&
    (until === undefined || run.createdAt < until) &&
    (endedBefore === undefined || (run.endedAt !== null && run.endedAt < endedBefore))
  );
}
