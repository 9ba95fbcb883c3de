/** What the world does in real time, such as a request to a server: meanwhile virtual time stands still. */
import type { Clock } from "../../clock.ts";

/** A call that takes longer than that waits for something that only virtual time brings, such as its own abort. */
const PATIENCE_MS = 250;
const TURNS = 3;

export class PendingCalls {
  readonly #calls = new Set<PromiseLike<unknown>>();
  #timers = 0;

  /** Something is under way that takes real time. */
  get isBusy(): boolean {
    return this.#calls.size > 0;
  }

  waitFor(call: PromiseLike<unknown>): void {
    this.#calls.add(call);
    const over = (): void => {
      this.#calls.delete(call);
    };
    call.then(over, over);
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
    for (let turns = 0; turns < TURNS && this.#calls.size > 0; turns++)
      await new Promise((resolve) => setImmediate(resolve));
    if (this.#calls.size === 0 || this.#timers > 0) return;
    await this.#wait([...this.#calls]);
  }

  async #wait(calls: readonly PromiseLike<unknown>[]): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, PATIENCE_MS);
    await Promise.race([late.promise, Promise.allSettled(calls)]);
    clearTimeout(timer);
    // From now on these stop no time.
    for (const call of calls) this.#calls.delete(call);
  }
}
