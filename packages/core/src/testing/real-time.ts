/** The time of a store under test that has a clock of its own: it passes by itself, so all there is to do is to look. */
import { systemClock } from "../clock.ts";
import { InvalidArgumentError } from "../errors.ts";
import { activityOf, needsHelp, neverEnds, recordOf, type Stage, type TestTime } from "./test-time.ts";

const LOOK_EVERY_MS = 5;
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
      const rests = run.owner === null && run.dueAt === null;
      restingSince = rests ? (restingSince ?? now) : undefined;
      // Whoever is to signal it may be on the way.
      const helpless = restingSince !== undefined && now - restingSince > this.#stage.patienceMs;
      if (run.stuck !== null || helpless) throw await needsHelp(this.#stage, runId);
      await pause();
    }
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
