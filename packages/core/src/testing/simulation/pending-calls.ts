/** What takes real time, such as a request to a server: meanwhile virtual time stands still. */
import type { Clock } from "../../clock.ts";

/** A call that takes longer than that waits for something that only virtual time brings, such as its own abort. */
const PATIENCE_MS = 250;
/** When it has done so that often, less is enough. */
const LATE_MAX = 3;
const SHORT_PATIENCE_MS = 10;
const PATIENCE_FACTOR = 4;
const TURNS = 3;

/** Not those of a test runner that fakes them. */
const { setImmediate, setTimeout, clearTimeout } = globalThis;

/** How long which calls took: those that only an abort ends would make each of some hundred tries wait. */
export class Patience {
  /** Bodies too, whatever they wait for beside the world. */
  readonly isForBodies: boolean;
  readonly #known = new Map<string, { late: number; longestMs: number }>();

  constructor({ isForBodies }: { readonly isForBodies: boolean }) {
    this.isForBodies = isForBodies;
  }

  of(name: string): number {
    const { late, longestMs } = this.#of(name);
    if (late < LATE_MAX) return PATIENCE_MS;
    return Math.min(PATIENCE_MS, Math.max(SHORT_PATIENCE_MS, PATIENCE_FACTOR * longestMs));
  }

  answered(name: string, ms: number): void {
    const known = this.#of(name);
    known.longestMs = Math.max(known.longestMs, ms);
  }

  late(name: string): void {
    this.#of(name).late += 1;
  }

  #of(name: string): { late: number; longestMs: number } {
    const known = this.#known.get(name) ?? { late: 0, longestMs: 0 };
    this.#known.set(name, known);
    return known;
  }
}

interface PendingCall {
  readonly name: string;
  /** Settles with it, and never rejects. */
  readonly over: Promise<void>;
  readonly isHeld: () => boolean;
}

export class PendingCalls {
  readonly #calls = new Set<PendingCall>();
  readonly #late = new Set<PendingCall>();
  readonly #patience: Patience;
  #timers = 0;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** Something is under way that takes real time. */
  get isBusy(): boolean {
    for (const { isHeld } of this.#calls) if (!isHeld()) return true;
    return false;
  }

  /** Names of what has not settled. */
  get underWay(): readonly string[] {
    return [...new Set([...this.#calls, ...this.#late].map(({ name }) => name))];
  }

  /** While it is held, as in a frozen process, nobody waits for it. */
  waitFor(name: string, call: PromiseLike<unknown>, isHeld: () => boolean = () => false): void {
    const since = performance.now();
    const over = (): void => {
      this.#late.delete(pending);
      if (this.#calls.delete(pending)) this.#patience.answered(name, performance.now() - since);
    };
    const pending = { name, isHeld, over: Promise.resolve(call).then(over, over) };
    this.#calls.add(pending);
  }

  /** The clock of the world: while it waits by it, time has to pass. */
  watched(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      random: () => clock.random(),
      macrotask: (run) => clock.macrotask(run),
      after: (ms, run, options) => {
        let isSet = true;
        this.#timers += 1;
        const over = (): void => {
          if (isSet) this.#timers -= 1;
          isSet = false;
        };
        const cancel = clock.after(
          ms,
          () => {
            over();
            run();
          },
          options,
        );
        return () => {
          over();
          cancel();
        };
      },
    };
  }

  /** Waits for what is under way, but not for what waits for virtual time. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < TURNS && this.isBusy; turns++)
      await new Promise((resolve) => setImmediate(resolve));
    const calls = [...this.#calls].filter(({ isHeld }) => !isHeld());
    if (calls.length > 0 && this.#timers === 0) await this.#wait(calls);
  }

  async #wait(calls: readonly PendingCall[]): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, Math.max(...calls.map(({ name }) => this.#patience.of(name))));
    await Promise.race([late.promise, Promise.all(calls.map(({ over }) => over))]);
    clearTimeout(timer);
    // From now on these stop no time.
    for (const call of calls) {
      if (!this.#calls.delete(call)) continue;
      this.#late.add(call);
      this.#patience.late(call.name);
    }
  }
}
