/** Hands events to an observer, which can neither fail nor slow what they tell of. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";
import { readable } from "../engine/error-data.ts";
import type { Observer, RunEvent } from "./run-events.ts";

/** What an observer that is too slow may have before it: more are dropped, and counted. */
const QUEUE_MAX = 10_000;
/** So many in one macrotask: then the runs have their turn. */
const AT_A_TIME_MAX = 50;

export class ObserverFeed {
  readonly #observer: Observer;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queue: RunEvent[] = [];
  #head = 0;
  #dropped = 0;
  #busy = false;
  #failed = false;
  readonly #waiting = new Set<() => void>();

  constructor(observer: Observer, clock: Clock, logger: Logger) {
    this.#observer = observer;
    this.#clock = clock;
    this.#logger = logger;
  }

  tell(event: RunEvent): void {
    if (this.#queue.length - this.#head >= QUEUE_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#queue.push(this.#dropped === 0 ? event : { ...event, dropped: this.#dropped });
    this.#dropped = 0;
    this.#goOn();
  }

  /** Resolves when it was told all, or after `ms`. */
  told(ms: number): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#waiting.delete(done);
        resolve();
      };
      const cancel = this.#clock.after(ms, done);
      this.#waiting.add(done);
    });
  }

  #goOn(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#clock.macrotask(() => this.#deliver());
  }

  #deliver(): void {
    for (let count = 0; count < AT_A_TIME_MAX; count++) {
      const event = this.#next();
      if (event === undefined) {
        this.#busy = false;
        for (const done of this.#waiting) done();
        return;
      }
      const waiting = this.#observe(event);
      if (waiting !== undefined) {
        waiting.then(
          () => this.#again(),
          (error: unknown) => {
            this.#complain(error);
            this.#again();
          },
        );
        return;
      }
    }
    this.#again();
  }

  #again(): void {
    this.#busy = false;
    this.#goOn();
  }

  /** Taken from the front without moving the rest each time. */
  #next(): RunEvent | undefined {
    const event = this.#queue[this.#head];
    this.#head += 1;
    if (event !== undefined && this.#head < AT_A_TIME_MAX) return event;
    this.#queue.splice(0, this.#head);
    this.#head = 0;
    return event;
  }

  #observe(event: RunEvent): Promise<unknown> | undefined {
    try {
      const answer = this.#observer(event);
      return answer instanceof Promise ? answer : undefined;
    } catch (error) {
      this.#complain(error);
      return undefined;
    }
  }

  #complain(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#logger.error(
      `the observer failed, and is called again for the next event; this is said once: ${String(readable(error))}`,
    );
  }
}
