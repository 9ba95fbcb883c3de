import { type AnyWorkflow, Client, type Logger, type Store, Worker } from "@everstep/core";
import { besideRaw } from "./raw-rate.ts";
import type { Place } from "./workload.ts";

/** Warnings of a process that took over from a killed one are not printed among the figures. */
const QUIET: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error };

/** A store with a client and, once asked for, workers: all in this process, as in a small shop. */
export class Bed implements AsyncDisposable {
  readonly store: Store;
  readonly client: Client;
  readonly #place: Place;
  #worker: Worker | undefined;

  constructor(place: Place, decorate: (store: Store) => Store = (store) => store) {
    this.#place = place;
    this.store = decorate(place.database.open(place.address));
    this.client = new Client({ store: this.store });
  }

  async work(workflows: readonly AnyWorkflow[], concurrency = 100): Promise<void> {
    this.#worker = new Worker({ store: this.store, workflows, concurrency, logger: QUIET });
    await this.#worker.start();
  }

  /** In order: what the worker held is due at once. Bodies are aborted. */
  async stopWork(): Promise<void> {
    await this.#worker?.stop({ grace: 0 });
    this.#worker = undefined;
  }

  /** Repeats `act`, which writes to the store, until a commit costs what it will go on to cost. */
  untilSteady(act: () => Promise<unknown>): Promise<void> {
    return this.#place.database.untilSteady(this.#place.address, act);
  }

  besideRaw<T>(rowsPerCommit: number, act: () => Promise<T>): ReturnType<typeof besideRaw<T>> {
    return besideRaw({ ...this.#place, rowsPerCommit }, act);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWork();
    await this.store.close();
  }
}

/** The same store, with some of its methods replaced. */
export function decorated(store: Store, methods: Partial<Store>): Store {
  return {
    commit: (batch) => store.commit(batch),
    transact: (request) => store.transact(request),
    claim: (request) => store.claim(request),
    join: (request) => store.join(request),
    renew: (lease) => store.renew(lease),
    read: (runId) => store.read(runId),
    list: (filter, page) => store.list(filter, page),
    count: (filter) => store.count(filter),
    workflows: () => store.workflows(),
    workers: () => store.workers(),
    figures: (span) => store.figures(span),
    examine: () => store.examine(),
    events: (filter) => store.events(filter),
    takeOutbox: (request) => store.takeOutbox(request),
    watch: (listener, interest) => store.watch(listener, interest),
    close: () => store.close(),
    ...methods,
  };
}
