/** A way to the store on which calls, answers and hints take their time, and hints may get lost. */
import type { Clock } from "../../clock.ts";
import type { Hint, Store } from "../../store.ts";

export interface Delays {
  delayMs(): number;
  losesHint(): boolean;
}

/** By the clock of the world: a call that is under way reaches the store also when its process has died. */
export function delayedStore<Tx>(store: Store<Tx>, clock: Clock, delays: Delays): Store<Tx> {
  const pass = (): Promise<void> =>
    new Promise((resolve) => {
      clock.after(delays.delayMs(), resolve);
    });
  const slowly = async <T>(call: () => Promise<T>): Promise<T> => {
    await pass();
    try {
      return await call();
    } finally {
      await pass();
    }
  };
  return {
    commit: (batch) => slowly(() => store.commit(batch)),
    transact: (request) => slowly(() => store.transact(request)),
    claim: (request) => slowly(() => store.claim(request)),
    join: (request) => slowly(() => store.join(request)),
    renew: (lease) => slowly(() => store.renew(lease)),
    read: (id) => slowly(() => store.read(id)),
    list: (filter, page) => slowly(() => store.list(filter, page)),
    count: (filter) => slowly(() => store.count(filter)),
    workflows: () => slowly(() => store.workflows()),
    workers: () => slowly(() => store.workers()),
    figures: (span) => slowly(() => store.figures(span)),
    examine: () => slowly(() => store.examine()),
    events: (filter) => slowly(() => store.events(filter)),
    takeOutbox: (request) => slowly(() => store.takeOutbox(request)),
    watch: (listener, interest) => {
      let stopped = false;
      const stop = store.watch((hint: Hint) => {
        if (delays.losesHint()) return;
        clock.after(delays.delayMs(), () => stopped || listener(hint));
      }, interest);
      return () => {
        stopped = true;
        stop();
      };
    },
    close: () => store.close(),
  };
}
