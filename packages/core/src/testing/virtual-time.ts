/** Virtual time of a worker under test: skipped from one instant at which something is due to the next one. */
import { systemClock } from "../clock.ts";
import type { RunRecord } from "../store.ts";
import type { PausableClock } from "./pausable-clock.ts";
import type { ExecutingBody } from "./test-bodies.ts";
import { activityOf, needsHelp, neverEnds, recordOf, type Stage, type TestTime } from "./test-time.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** After so many instants at which something happened, a run that has not ended is not going to. */
const INSTANTS_MAX = 20_000;
/** A run that waits in its worker's memory for something that is due soon does so for less. */
const LINGER_MAX_MS = 6000;
/** Two looks at such a run are this far apart in real time, and at most one tick of a worker in virtual time. */
const HOLD_MS = 20;
/** No timer is set at all, and yet something is expected to happen. */
const IDLE_MS = 1000;
/** Time is skipped to this long before something is due: the worker looks after its lease first. */
const RUN_UP_MS = 1;

export class VirtualTime implements TestTime {
  readonly #stage: Stage;
  readonly #clock: VirtualClock;
  readonly #processes: PausableClock;
  /** The runs that are in a worker's hands: since when nothing was seen to happen to them, by both clocks. */
  #held = { what: "", since: 0, realSince: 0 };

  constructor(stage: Stage, { clock, processes }: { clock: VirtualClock; processes: PausableClock }) {
    this.#stage = stage;
    this.#clock = clock;
    this.#processes = processes;
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    const state = { settled: false };
    const over = (): void => {
      state.settled = true;
    };
    promise.then(over, over);
    await this.#clock.advance(0);
    while (!state.settled) await this.#clock.advance(this.#clock.nextMs ?? 0);
    return promise;
  }

  async idle(): Promise<void> {
    await this.#calm();
    const { patienceMs, bodies } = this.#stage;
    const [endless] = bodies.executing.filter(({ step }) => !step.signal.aborted);
    if (endless !== undefined) throw neverEnds(endless.called, patienceMs);
  }

  async skip(ms: number): Promise<void> {
    const until = this.#clock.monotonic() + ms;
    for (;;) {
      await this.#calm();
      const leftMs = until - this.#clock.monotonic();
      if (leftMs <= 0) return;
      await this.#pass(await this.#quietMs(), leftMs);
    }
  }

  async untilEnded(runId: string, withinMs: number): Promise<"ended" | "late"> {
    const until = this.#clock.monotonic() + withinMs;
    for (let instants = 0; instants < INSTANTS_MAX; instants++) {
      await this.#calm();
      const run = await recordOf(this.#stage, runId);
      if (run === undefined || run.end !== null) return "ended";
      if (run.stuck !== null) throw await needsHelp(this.#stage, runId);
      const leftMs = until - this.#clock.monotonic();
      if (leftMs <= 0) return "late";
      const quietMs = await this.#quietMs();
      if (quietMs === Number.POSITIVE_INFINITY && leftMs === Number.POSITIVE_INFINITY)
        throw await this.#helpless(runId);
      await this.#pass(quietMs, leftMs);
    }
    const why = await this.#stage.why(runId);
    throw new Error(
      `run ${runId} has not ended after ${INSTANTS_MAX} instants at which something happened, at ${new Date(this.#clock.now()).toISOString()}. ${why} Use skip() to go on without waiting for its end.`,
    );
  }

  async #helpless(runId: string): Promise<Error> {
    const { bodies, patienceMs } = this.#stage;
    const endless = bodies.executing.find(({ called }) => called.run === runId);
    return endless === undefined ? needsHelp(this.#stage, runId) : neverEnds(endless.called, patienceMs);
  }

  /** A dead worker's lease is over. */
  async afterDeath(): Promise<void> {
    await this.#clock.advance(this.#stage.leaseMs);
  }

  /**
   * Until all is done that can be done now, bodies included: these take real time. One that takes longer than `patience` is
   * not waited for any more: time passes over it.
   */
  async #calm(): Promise<void> {
    for (;;) {
      await this.#clock.advance(0);
      if (await this.#stage.revive()) continue;
      const body = this.#stage.bodies.executing.find((candidate) => this.#patienceFor(candidate) > 0);
      if (body === undefined) return;
      await this.#waitForReal(this.#patienceFor(body));
    }
  }

  #patienceFor({ beganAt }: ExecutingBody): number {
    return beganAt + this.#stage.patienceMs - systemClock.monotonic();
  }

  async #waitForReal(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = systemClock.after(ms, resolve);
    await Promise.race([promise, this.#stage.bodies.ended]);
    cancel();
  }

  /** How long nothing happens but that workers look after their leases; 0 where that is not known. */
  async #quietMs(): Promise<number> {
    const { busy, nextDueAt, now } = await activityOf(this.#stage);
    if (busy.length > 0 && !(await this.#standsStill(busy))) return 0;
    const dueMs = nextDueAt === null ? null : nextDueAt - now;
    const nextMs = [dueMs, this.#processes.longMs(), this.#processes.othersMs()];
    return Math.min(...nextMs.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  }

  /**
   * Whether the runs that workers hold go on by no more than long timers: a body hangs, or a handler awaits something of its own. A
   * handler may need real time for that, and gets it as bodies do.
   */
  async #standsStill(busy: readonly RunRecord[]): Promise<boolean> {
    const { bodies, patienceMs } = this.#stage;
    const what = JSON.stringify([bodies.calls.length, busy.map(({ id, attempt }) => [id, attempt])]);
    const now = this.#clock.monotonic();
    if (what !== this.#held.what) this.#held = { what, since: now, realSince: systemClock.monotonic() };
    if (now - this.#held.since < LINGER_MAX_MS) return false;
    const leftMs = this.#held.realSince + patienceMs - systemClock.monotonic();
    if (bodies.executing.length > 0 || leftMs <= 0) return true;
    await this.#waitForReal(Math.min(leftMs, HOLD_MS));
    return false;
  }

  /** Lets time pass to the next instant at which something may happen, at most `maxMs`. */
  async #pass(quietMs: number, maxMs: number): Promise<void> {
    const aheadMs = Math.min(quietMs, maxMs);
    if (aheadMs > RUN_UP_MS) {
      await this.#processes.leap(aheadMs - RUN_UP_MS);
      await this.#clock.advance(RUN_UP_MS);
    } else await this.#clock.advance(Math.min(maxMs, this.#clock.nextMs ?? IDLE_MS));
  }
}
