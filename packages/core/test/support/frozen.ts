/** A process that is frozen as by SIGSTOP: it runs no code until it is thawed, while the world goes on. */
import type { Clock, Hint, Store } from "../../src/index.ts";
import type { MemoryStore, MemoryTx } from "../../src/testing/index.ts";

export class Freezer {
  readonly #thawed: (() => void)[] = [];
  #frozen = false;

  get frozen(): boolean {
    return this.#frozen;
  }

  freeze(): void {
    this.#frozen = true;
  }

  /** All that came due meanwhile happens now, in its order. */
  thaw(): void {
    this.#frozen = false;
    for (const run of this.#thawed.splice(0)) run();
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

  /** Calls reach the store, whatever becomes of the process; their answers wait for it. */
  store(store: MemoryStore): Store<MemoryTx> {
    const answer = async <T>(call: Promise<T>): Promise<T> => {
      const value = await call;
      await new Promise<void>((resolve) => this.run(resolve));
      return value;
    };
    return {
      commit: (batch) => answer(store.commit(batch)),
      transact: (request) => answer(store.transact(request)),
      claim: (request) => answer(store.claim(request)),
      join: (request) => answer(store.join(request)),
      renew: (lease) => answer(store.renew(lease)),
      read: (id) => answer(store.read(id)),
      list: (filter, page) => answer(store.list(filter, page)),
      count: (filter) => answer(store.count(filter)),
      watch: (listener) => store.watch((hint: Hint) => this.run(() => listener(hint))),
      close: () => store.close(),
    };
  }
}
