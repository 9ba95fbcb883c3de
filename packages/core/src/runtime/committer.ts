/**
 * Group commit: one commit in flight, what arrives meanwhile is the next batch. No timer, no knob.
 *
 * A store that answers later leaves this process free meanwhile. There, runs that wait for one commit would come back together,
 * and store and process would take turns, each idle while the other works. So half of what is active is sent as soon as it is there: the halves take turns then, and both are busy (Postgres, 100 in flight: 1.4 times the runs per second).
 *
 * Owns: the order of writes, batch numbers, resending after an outage. An unknown reply is resolved by sending the identical
 * batch again: the store applies a batch number at most once (S2).
 */
import type { Clock } from "../clock.ts";
import { StoreError, StoreUnavailableError } from "../errors.ts";
import type { Outcome, Store, Write } from "../store.ts";
import { Backoff } from "./backoff.ts";

/** The right of one worker to write, as the committer needs it. */
export interface Writer {
  readonly worker: number;
  nextBatch(): number;
  /** The store could not be used for a batch of it: no later one can follow, so this lease is over. */
  lost(): void;
}

/** A store that is out is waited for this long before the call of a client is rejected. A worker's writes wait without end. */
const PATIENCE_MS = 30_000;

export interface Pending {
  readonly write: Write;
  readonly writer: Writer | undefined;
  readonly settle: (outcome: Outcome) => void;
  /** The store is out for too long, or can't be used at all: whether the write was applied is unknown. */
  readonly fail: (error: Error) => void;
}

/** A longer transaction would block the event loop for longer than 20 ms on a slow disk. */
const BATCH_MAX = 250;

/** Smaller halves would pay for more commits than they gain. */
const HALF_MIN = 32;

export class Committer {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #outages: Backoff;
  readonly #storeIsOut: (error: StoreUnavailableError) => void;
  #queue: Pending[] = [];
  #scheduled = false;
  #inFlight = false;
  /** With so many writes the next batch is sent at once. */
  #half = Number.POSITIVE_INFINITY;

  constructor(store: Store, clock: Clock, storeIsOut: (error: StoreUnavailableError) => void = () => {}) {
    this.#store = store;
    this.#clock = clock;
    this.#outages = new Backoff(clock);
    this.#storeIsOut = storeIsOut;
  }

  /** Calls back with the outcome once it is durable. Writes of one writer are applied in the order of their submission. */
  submit(pending: Pending): void {
    this.#queue.push(pending);
    if (this.#queue.length >= this.#half && !this.#inFlight) this.#flush();
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight || this.#queue.length === 0) return;
    this.#scheduled = true;
    this.#clock.macrotask(() => {
      this.#scheduled = false;
      if (!this.#inFlight) this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#take();
    if (batch.length === 0) return;
    const writer = batch.find((pending) => pending.writer !== undefined)?.writer;
    const writes = batch.map((pending) => pending.write);
    this.#inFlight = true;
    const lease = writer === undefined ? {} : { lease: { worker: writer.worker, batch: writer.nextBatch() } };
    this.#send(batch, { writes, ...lease }).catch((error: unknown) => {
      this.#done();
      writer?.lost();
      const failure = error instanceof Error ? error : new StoreError(String(error));
      for (const pending of batch) pending.fail(failure);
    });
  }

  /** The queue's head, of one writer and of those who need none. */
  #take(): Pending[] {
    let writer: Writer | undefined;
    const batch: Pending[] = [];
    const rest: Pending[] = [];
    for (const pending of this.#queue) {
      writer ??= pending.writer;
      if (batch.length < BATCH_MAX && (pending.writer === undefined || pending.writer === writer))
        batch.push(pending);
      else rest.push(pending);
    }
    this.#queue = rest;
    return batch;
  }

  /** An outage is waited for, without end: whether the batch was applied is found out by sending it again. */
  async #send(batch: readonly Pending[], request: Parameters<Store["commit"]>[0]): Promise<void> {
    const sentAt = this.#clock.monotonic();
    let answersLater = false;
    this.#clock.macrotask(() => {
      answersLater = true;
    });
    let outcomes: readonly Outcome[] | undefined;
    while (outcomes === undefined) {
      try {
        outcomes = await this.#store.commit(request);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        this.#storeIsOut(error);
        // Before the wait: whoever calls during it is to be answered by the next try.
        if (this.#clock.monotonic() - sentAt > PATIENCE_MS) this.#giveUp(batch);
        await this.#outages.wait();
      }
    }
    this.#outages.over();
    const active = batch.length + this.#queue.length;
    this.#half = answersLater ? Math.max(HALF_MIN, Math.ceil(active / 2)) : Number.POSITIVE_INFINITY;
    this.#done();
    for (const [index, pending] of batch.entries()) pending.settle(outcomes[index] ?? { is: "fenced" });
  }

  /** The batch is still sent until it is answered; only its clients are told that nobody knows. */
  #giveUp(batch: readonly Pending[]): void {
    const error = new StoreUnavailableError(
      `the store did not answer for ${PATIENCE_MS / 1000} s: whether this was accepted is unknown; try again with the same id`,
    );
    for (const pending of [...batch, ...this.#queue]) if (pending.writer === undefined) pending.fail(error);
  }

  #done(): void {
    this.#inFlight = false;
    this.#schedule();
  }
}
