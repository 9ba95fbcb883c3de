/** A worker for one go: it executes what is due, and stops when nothing is or its time is over. */
import type { Clock } from "../clock.ts";
import type { Duration } from "../context.ts";
import { StoreUnavailableError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";

export interface IdleOptions {
  /** At most so long, stopping included; default: until nothing is due. */
  readonly for?: Duration;
}

/** What a worker came to that ran until idle. */
export interface IdleReport {
  /** How many runs ended. */
  readonly ended: number;
  /** When to come again: in the past when time was over before all was done; null when only a message or a start makes something due. */
  readonly nextDueAt: Date | null;
  /** Runs whose body ignored its signal and still lives: see `Worker.stop`. */
  readonly living: readonly string[];
}

/** The end of the time is for stopping: bodies that execute may go on for most of it, no other begins. */
const STOPPING_SHARE = 0.2;
const STOPPING_MAX_MS = 10_000;
const ABORT_SHARE = 0.25;

/** A worker, as it is needed here. */
export interface Idler {
  readonly clock: Clock;
  readonly ended: number;
  readonly nextDueAt: number | null;
  /** Resolves once nothing is held, nothing is due and nothing is to be shipped. */
  idle(): Promise<void>;
}

export interface Life {
  start(): Promise<void>;
  /** Without limits: as patient as the worker is by itself. */
  stop(limits?: { readonly graceMs: number; readonly abortMs: number }): Promise<readonly string[]>;
}

export async function untilIdle(worker: Idler, life: Life, options: IdleOptions): Promise<IdleReport> {
  const forMs = options.for === undefined ? undefined : durationMs(options.for, "for");
  const stoppingMs = forMs === undefined ? 0 : Math.min(STOPPING_MAX_MS, forMs * STOPPING_SHARE);
  let started = false;
  const work = async (): Promise<void> => {
    await life.start();
    started = true;
    await worker.idle();
  };
  if (forMs === undefined) await work();
  else await before(worker.clock, forMs - stoppingMs, work());
  const abortMs = stoppingMs * ABORT_SHARE;
  const living = await life.stop(
    forMs === undefined ? undefined : { graceMs: stoppingMs - abortMs, abortMs },
  );
  if (!started) throw new StoreUnavailableError(`the store did not answer for ${forMs} ms: nothing was done`);
  const { ended, nextDueAt } = worker;
  return { ended, nextDueAt: nextDueAt === null ? null : new Date(nextDueAt), living };
}

/** Resolves when the work is done, or after `ms`; rejects when it failed before. */
function before(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, resolve);
    work.then(resolve, reject).finally(cancel);
  });
}
