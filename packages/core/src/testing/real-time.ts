/** The time of a store under test that has a clock of its own: it passes by itself, so all there is to do is to look. */
import { systemClock } from "../clock.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { RunRecord } from "../store.ts";
import {
  activityOf,
  hasCodeOf,
  LIVE,
  needsHelp,
  neverEnds,
  recordOf,
  type Stage,
  type TestTime,
} from "./test-time.ts";

const LOOK_EVERY_MS = 5;
const CHILDREN = 500;
/** Nothing at all happened for so long: no body, no entry, no claim. */
const STANDSTILL_MS = 30_000;

export class RealTime implements TestTime {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  async idle(): Promise<void> {
    const { bodies, patienceMs } = this.#stage;
    let seen = "";
    let seenAt = systemClock.monotonic();
    for (;;) {
      await this.#stage.revive();
      const { busy } = await activityOf(this.#stage);
      const [oldest] = bodies.executing.filter(({ step }) => !step.signal.aborted);
      if (busy.length === 0 && oldest === undefined) return;
      const now = systemClock.monotonic();
      if (oldest !== undefined && now - oldest.beganAt > patienceMs)
        throw neverEnds(oldest.called, patienceMs);
      const seeing = JSON.stringify([bodies.calls.length, busy]);
      if (seeing !== seen) [seen, seenAt] = [seeing, now];
      else if (oldest === undefined && now - seenAt > STANDSTILL_MS)
        throw new Error(`nothing has happened for ${STANDSTILL_MS / 1000} s. ${await this.#why(busy)}`);
      await pause();
    }
  }

  async skip(): Promise<void> {
    throw new InvalidArgumentError(
      "the time of this store is real and can't be skipped: leave `store` out to test in virtual time, or make the durations of the workflow short",
    );
  }

  async untilEnded(runId: string, withinMs: number): Promise<"ended" | "late"> {
    const until = systemClock.monotonic() + withinMs;
    let restingSince: number | undefined;
    for (;;) {
      await this.#stage.revive();
      const run = await recordOf(this.#stage, runId);
      if (run === undefined || run.end !== null) return "ended";
      const now = systemClock.monotonic();
      if (now >= until) return "late";
      restingSince = (await this.#rests(run)) ? (restingSince ?? now) : undefined;
      // Whoever is to signal it may be on the way.
      const helpless = restingSince !== undefined && now - restingSince > this.#stage.patienceMs;
      if (run.stuck !== null || helpless) throw await needsHelp(this.#stage, runId);
      await pause();
    }
  }

  /** Nothing moves it: neither it nor another run is in anybody's hands, and none of its children will be by itself. */
  async #rests({ id, owner, dueAt }: RunRecord): Promise<boolean> {
    if (owner !== null || dueAt !== null) return false;
    const { busy } = await activityOf(this.#stage);
    return busy.length === 0 && !(await this.#hasChildInTime(id));
  }

  async #hasChildInTime(parent: string): Promise<boolean> {
    const { runs } = await this.#stage.store.list(
      { parent, status: LIVE, paused: false },
      { limit: CHILDREN },
    );
    for (const child of runs) {
      const isDue = child.dueAt !== null && hasCodeOf(this.#stage, child);
      if (isDue || child.owner !== null || (await this.#hasChildInTime(child.id))) return true;
    }
    return false;
  }

  /** The next worker finds out by itself. */
  async afterDeath(): Promise<void> {}

  async #why(busy: readonly { readonly id: string }[]): Promise<string> {
    const reasons = await Promise.all(busy.slice(0, 3).map(({ id }) => this.#stage.why(id)));
    return reasons.join(" ");
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(LOOK_EVERY_MS, resolve);
  });
}
