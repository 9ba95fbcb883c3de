/** The step bodies of one run: which wish to run, which execute, and what the end of an attempt means. */
import type { StuckCode } from "../errors.ts";
import { StepFailedError } from "../errors.ts";
import type { NewEntry, RetryState, RunRecord } from "../store.ts";
import type { Ask, Asks } from "./asks.ts";
import type { Journal } from "./journal.ts";
import { nextAttemptAt, type Retry, retryOf } from "./retry.ts";
import type { Values } from "./values.ts";

/** How one attempt of a body, or of the function that looks an in-doubt effect up, came out. */
export type AttemptEnd =
  | { readonly how: "completed"; readonly text: string | undefined }
  | FailedEnd
  /** Aborted by a stop or a cancel: counts as no attempt. */
  | { readonly how: "interrupted" }
  /** The effect did not happen: run the body. */
  | { readonly how: "rerun" }
  /** A person has to decide. */
  | { readonly how: "stick" };

export interface FailedEnd {
  readonly how: "failed";
  readonly error: unknown;
  readonly message: string;
  /** Not to be tried again. */
  readonly fatal: boolean;
  /** The body asked not to be tried before this instant. */
  readonly notBefore?: number;
  /** Nobody knows what the body did. */
  readonly timedOut: boolean;
  /** It was the look-up that failed, not the body. */
  readonly lookUp: boolean;
  readonly random: number;
}

export interface StuckVerdict {
  readonly code: StuckCode;
  readonly message: string;
}

/** Look-ups and undos of steps are tried without end: giving up would lose what they are for. */
export const ENDLESS: Retry = retryOf(undefined, "");

export class Bodies<H> {
  readonly #journal: Journal;
  readonly #asks: Asks<H>;
  readonly #values: Values;
  readonly #run: RunRecord;
  readonly #idle = new Set<Ask<H>>();
  readonly #lookUps = new Map<Ask<H>, number>();
  /** Bodies and undos that execute now. */
  executing = 0;
  /** When a person resumed the run, if nothing was recorded since and no worker died with it. */
  resumedAt: number = Number.POSITIVE_INFINITY;

  constructor(journal: Journal, asks: Asks<H>, values: Values, run: RunRecord) {
    this.#journal = journal;
    this.#asks = asks;
    this.#values = values;
    this.#run = run;
  }

  /** Steps asked for that have not settled and do not execute. */
  get idle(): number {
    return this.#idle.size;
  }

  wish(ask: Ask<H>): void {
    this.#idle.add(ask);
  }

  unwish(ask: Ask<H>): void {
    this.#idle.delete(ask);
  }

  settled(ask: Ask<H>, entry: NewEntry): void {
    this.#idle.delete(ask);
    if (entry.error === undefined) ask.result = { text: entry.value };
    else ask.error = entry.error;
  }

  /** The body said by `happened: false` that there is nothing to undo. */
  knownNotHappened(ask: Ask<H>): boolean {
    if (ask.error === undefined) return false;
    const { cause } = this.#values.errorFromText(ask.error, ask.key, `error of step ${ask.key}`);
    return cause instanceof Error && "happened" in cause && cause.happened === false;
  }

  queueStarts(now: number): boolean {
    let queued = false;
    for (const ask of this.#idle) {
      if (ask.plan?.recordStart !== true || ask.started || waits(ask, now)) continue;
      this.#journal.append({ kind: "started", key: ask.key }, now);
      queued = true;
    }
    return queued;
  }

  due(now: number): readonly Ask<H>[] {
    const due: Ask<H>[] = [];
    for (const ask of this.#idle) {
      if (!waits(ask, now) && (ask.started || ask.plan?.recordStart !== true)) due.push(ask);
    }
    return due;
  }

  /** True when a step could begin now, were all durable: the run does not just wait. */
  someDue(now: number): boolean {
    for (const ask of this.#idle) if (!waits(ask, now)) return true;
    return false;
  }

  /** When the next attempt of a step that failed is due. */
  nextDueAt(now: number): number {
    let dueAt = Number.POSITIVE_INFINITY;
    for (const { retry } of this.#idle) {
      if (retry !== undefined && retry.nextAt !== null && retry.nextAt > now)
        dueAt = Math.min(dueAt, retry.nextAt);
    }
    return dueAt;
  }

  /** Nobody knows whether the effect of this step has happened, and its options say that this matters. */
  inDoubt(ask: Ask<H>): boolean {
    return ask.plan?.askInDoubt === true && ask.retry?.inDoubt === true;
  }

  /** The run was stuck for this step, and a person resumed it: its row was reset then, and nothing has become of it since. */
  decided({ retry }: Ask<H>): boolean {
    if (retry === undefined || retry.nextAt === null) return false;
    return retry.failures === 0 && retry.firstAt >= this.resumedAt && retry.nextAt >= this.resumedAt;
  }

  begin(ask: Ask<H>, now: number): void {
    this.executing += 1;
    ask.executing = true;
    this.#idle.delete(ask);
    ask.retry ??= { key: ask.key, failures: 0, firstAt: now, nextAt: now, inDoubt: false };
  }

  over(ask: Ask<H>): void {
    this.executing -= 1;
    ask.executing = false;
    if (ask.state === "open") this.#idle.add(ask);
  }

  ended(ask: Ask<H>, end: AttemptEnd, now: number, closed: boolean): StuckVerdict | undefined {
    this.over(ask);
    switch (end.how) {
      case "completed":
        this.#append(ask, { value: end.text }, now);
        return undefined;
      case "failed":
        return this.#failed(ask, end, now, closed || ask.state === "withdrawn");
      case "interrupted":
        if (ask.plan?.recordStart === true) this.#keep(ask, inDoubtAgain(this.#row(ask, now)));
        return undefined;
      case "rerun":
        this.#keep(ask, { ...this.#row(ask, now), inDoubt: false, nextAt: now });
        return undefined;
      case "stick":
        this.#keep(ask, { ...this.#row(ask, now), inDoubt: true, nextAt: null });
        return { code: "IN_DOUBT", message: inDoubtText(this.#run.id, ask.key) };
    }
  }

  #failed(ask: Ask<H>, end: FailedEnd, now: number, letGo: boolean): StuckVerdict | undefined {
    const failures = this.#row(ask, now).failures + (end.lookUp ? 0 : 1);
    if (end.fatal) {
      const error = new StepFailedError(
        { runId: this.#run.id, step: ask.key, attempts: failures },
        end.error,
      );
      this.#append(ask, { error: this.#values.errorToText(error, ask.key) }, now);
      return undefined;
    }
    if (letGo) return undefined; // not tried again; what may have happened is undone
    if (end.lookUp) return this.#lookUpFailed(ask, end, now);
    const retry = ask.plan?.retry ?? ENDLESS;
    const row = this.failedRow(ask.key, this.#row(ask, now), end, now, retry);
    if (row.nextAt !== null) {
      this.#keep(ask, row);
      return undefined;
    }
    if (retry.onExhausted === "throw") return this.#failed(ask, { ...end, fatal: true }, now, letGo);
    this.#keep(ask, row);
    return {
      code: "EXHAUSTED",
      message: `run ${this.#run.id}: step ${ask.key} ${failures === 1 ? "failed" : `failed ${failures} times, at last`} with: ${end.message}. Mend the cause and resume the run: its attempts begin anew.`,
    };
  }

  #lookUpFailed(ask: Ask<H>, end: FailedEnd, now: number): undefined {
    const lookUps = (this.#lookUps.get(ask) ?? 0) + 1;
    this.#lookUps.set(ask, lookUps);
    const row = this.failedRow(ask.key, { ...this.#row(ask, now), failures: lookUps - 1 }, end, now, ENDLESS);
    this.#keep(ask, { ...row, failures: this.#row(ask, now).failures, inDoubt: true });
  }

  /** The row after one more failed attempt; `nextAt` is null when the policy is used up or the failure is final. */
  failedRow(
    key: string,
    before: RetryState | undefined,
    end: FailedEnd,
    now: number,
    retry: Retry,
  ): RetryState {
    const failures = (before?.failures ?? 0) + 1;
    const firstAt = before?.firstAt ?? now;
    const next = end.fatal
      ? "exhausted"
      : nextAttemptAt(retry, {
          failures,
          firstAt,
          now,
          random: end.random,
          ...(end.notBefore === undefined ? {} : { notBefore: end.notBefore }),
        });
    return {
      key,
      failures,
      firstAt,
      nextAt: next === "exhausted" ? null : next,
      error: this.#values.errorToText(end.error, key),
      inDoubt: end.timedOut,
    };
  }

  /** What the last failed attempt threw, in words. */
  lastErrorOf({ key, failures, error }: RetryState): string {
    try {
      if (error !== undefined) return this.#values.errorFromText(error, key, "its error").message;
    } catch {
      // Written with a key that nobody has any more: that it failed is known all the same.
    }
    return failures === 1 ? "failed once" : `failed ${failures} times`;
  }

  #row(ask: Ask<H>, now: number): RetryState {
    return ask.retry ?? { key: ask.key, failures: 0, firstAt: now, nextAt: now, inDoubt: false };
  }

  #keep(ask: Ask<H>, row: RetryState): void {
    ask.retry = row;
    this.#asks.touch(ask.key);
    this.#journal.keepRetry(row);
  }

  #append(
    ask: Ask<H>,
    outcome: { readonly value?: string | undefined; readonly error?: string },
    now: number,
  ): void {
    this.#journal.append({ kind: "step", key: ask.key, ...outcome }, now);
    if (this.#asks.touched(ask.key)) this.#journal.dropRetry(ask.key);
  }
}

/** Rows of the steps that a dead worker left in the middle: in doubt until they settle, said durably before the run is let go. */
export function doubtsOf(
  journal: readonly NewEntry[],
  known: ReadonlyMap<string, RetryState | true>,
): readonly RetryState[] {
  const settled = new Set(journal.filter((entry) => entry.kind === "step").map((entry) => entry.key));
  const open = journal.filter((entry) => entry.kind === "started" && !settled.has(entry.key));
  return open.map(({ key, at }) => {
    const row = known.get(key);
    return typeof row === "object"
      ? inDoubtAgain(row)
      : { key, failures: 0, firstAt: at, nextAt: at, inDoubt: true };
  });
}

/** What a person decided about the doubt before (the row was reset then, see `RunMachine.decided`) does not settle this one. */
function inDoubtAgain(row: RetryState): RetryState {
  return { ...row, inDoubt: true, firstAt: row.failures === 0 ? row.firstAt - 1 : row.firstAt };
}

function waits(ask: Ask<unknown>, now: number): boolean {
  const nextAt = ask.retry === undefined ? now : ask.retry.nextAt;
  return nextAt === null || nextAt > now;
}

function inDoubtText(runId: string, key: string): string {
  return `run ${runId}: step ${key} was interrupted, and nobody knows whether its effect happened. Find out. Resuming the run then runs the step again under the same idempotency key (or asks its \`inDoubt\` function again); canceling the run undoes it as unknown.`;
}
