/** Ended runs are forgotten, in small batches: each run with all that it called is one write, beside the others of this process. */
import { durationMs } from "../../engine/duration.ts";
import type { Duration } from "../../context.ts";
import { InvalidArgumentError, RunStateError, StoreError } from "../../errors.ts";
import type { EndStatus, Outcome, RunFilter, Store, Write } from "../../store.ts";
import { checkFilter, checkLimit } from "../filters.ts";
import { checkDone } from "./mending.ts";

export interface PurgeFilter extends Pick<RunFilter, "workflow" | "version" | "tag"> {
  /** Default: all that a run can end with. */
  readonly status?: EndStatus | readonly EndStatus[];
  /** They ended at least so long ago. */
  readonly olderThan: Duration;
}

export interface Purged {
  /** Runs that are no more; what they called is gone with them, and not counted. */
  readonly purged: number;
  /** Runs that are kept for now: a run that they belong to, or that belongs to them, has not ended. */
  readonly kept: number;
}

/** What purging needs; a client and a worker have it. */
export interface Purger {
  readonly store: Store;
  /** Durable when it settles. */
  write(write: Write): Promise<Outcome>;
}

const PAGE = 50;
const ENDS: readonly EndStatus[] = ["completed", "failed", "canceled"];

export async function purgeOne(purger: Purger, id: string): Promise<void> {
  const outcome = await purger.write({ kind: "purge", runId: id });
  if (outcome.is === "wrong-state")
    throw new RunStateError(
      id,
      outcome.status,
      "it can be purged when it, all that it called, and the run that called it have ended; nothing was changed",
    );
  checkDone(id, outcome, "to purge it");
}

/** At most `limit` runs, and at most `lookAt` are looked at; default: all that there are. */
export async function purgeEnded(
  purger: Purger,
  { olderThan, status = ENDS, ...filter }: PurgeFilter,
  {
    limit = Number.POSITIVE_INFINITY,
    lookAt = Number.POSITIVE_INFINITY,
  }: { readonly limit?: number; readonly lookAt?: number } = {},
): Promise<Purged> {
  checkFilter(filter);
  checkLimit(limit);
  const ageMs = durationMs(olderThan, "olderThan");
  const ends = typeof status === "string" ? [status] : status;
  const odd = ends.find((end) => !ENDS.includes(end));
  if (odd !== undefined)
    throw new InvalidArgumentError(`only ended runs can be purged, not those that are ${odd}`);
  const { now } = await purger.store.list({ ids: [] }, { limit: 1 });
  let purged = 0;
  let kept = 0;
  let after: string | undefined;
  while (purged < limit && purged + kept < lookAt) {
    const page = await purger.store.list(
      { ...filter, status: ends, endedBefore: now - ageMs + 1 },
      {
        limit: Math.min(PAGE, limit - purged),
        order: "oldest",
        ...(after === undefined ? {} : { after }),
      },
    );
    const outcomes = await Promise.all(page.runs.map(({ id }) => purger.write({ kind: "purge", runId: id })));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.is === "done") purged += 1;
      else if (outcome.is === "wrong-state") kept += 1;
      else if (outcome.is !== "not-found") throw unexpected(page.runs[index]?.id, outcome);
    }
    if (page.next === null) break;
    after = page.next;
  }
  return { purged, kept };
}

/** `not-found` is none: it went with the run that called it. */
function unexpected(id: string | undefined, outcome: Outcome): StoreError {
  const why = outcome.is === "refused" ? outcome.reason : outcome.is;
  return new StoreError(`run ${id}: the store refused to purge it: ${why}`);
}
