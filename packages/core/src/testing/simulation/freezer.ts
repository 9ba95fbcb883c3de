/** A process that is frozen as by SIGSTOP: it runs no code until it is thawed, while the world goes on. */
import type { Clock } from "../../clock.ts";
import type { Hint, Store } from "../../store.ts";

export class Freezer {
  readonly #thawed: (() => void)[] = [];
  #frozen = false;

  get frozen(): boolean {
    return this.#frozen;
  }

  freeze(): void {
    this.#frozen = true;
  }

  /** All that came due meanwhile happens now, in its order, each in a macrotask of its own. */
  thaw(clock: Pick<Clock, "macrotask">): void {
    this.#frozen = false;
    for (const run of this.#thawed.splice(0)) clock.macrotask(run);
  }

  /** Now, or when the process is thawed. */
  run(act: () => void): void {
    if (this.#frozen) this.#thawed.push(act);
    else act();
  }

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      random: () => clock.random(),
      macrotask: (run) => clock.macrotask(() => this.run(run)),
      after: (ms, run, options) => {
        let canceled = false;
        const cancel = clock.after(ms, () => this.run(() => canceled || run()), options);
        return () => {
          canceled = true;
          cancel();
        };
      },
    };
  }

  /**
   * Answers wait for the process. `called` is told of each call that may write, and may freeze the process there; `late`
   * calls of a frozen process reach the store only when it is thawed, as if they had been on their way.
   */
  store<Tx>(store: Store<Tx>, called: () => "late" | undefined = () => undefined): Store<Tx> {
    const thawed = (): Promise<void> => new Promise((resolve) => this.run(resolve));
    const answer = async <T>(call: () => Promise<T>, counted = true): Promise<T> => {
      if (counted && called() === "late") await thawed();
      const value = await call();
      await thawed();
      return value;
    };
    return {
      commit: (batch) => answer(() => store.commit(batch)),
      transact: (request) => answer(() => store.transact(request)),
      claim: (request) => answer(() => store.claim(request)),
      join: (request) => answer(() => store.join(request)),
      renew: (lease) => answer(() => store.renew(lease)),
      read: (id) => answer(() => store.read(id), false),
      list: (filter, page) => answer(() => store.list(filter, page), false),
      count: (filter) => answer(() => store.count(filter), false),
      workflows: () => answer(() => store.workflows(), false),
      workers: () => answer(() => store.workers(), false),
      figures: (span) => answer(() => store.figures(span), false),
      examine: () => answer(() => store.examine(), false),
      events: (filter) => answer(() => store.events(filter), false),
      takeOutbox: (request) => answer(() => store.takeOutbox(request)),
      watch: (listener, interest) => store.watch((hint: Hint) => this.run(() => listener(hint)), interest),
      close: () => store.close(),
    };
  }
}
