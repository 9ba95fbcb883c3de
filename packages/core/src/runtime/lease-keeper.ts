/** A worker's right to write: joins the store, renews the lease, notices that it is lost, joins again, and leaves. */
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";
import { StoreUnavailableError } from "../errors.ts";
import type { Renewal, Store, WorkflowSpec } from "../store.ts";
import { Backoff } from "./backoff.ts";
import type { Committer } from "./committer.ts";
import { HeldLease } from "./lease.ts";

const LEAVE_MS = 5000;

/** What it needs to know of its worker, and tells it. */
export interface LeaseHolder {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** False once it is told to stop: then it joins no more. */
  readonly isRunning: boolean;
  /** It has let go of everything, and whoever stopped it may have closed its store. */
  readonly isOver: boolean;
  storeIsOut(error: Error): void;
  /** `wasGood`: bodies could begin all the time since the last renewal. */
  renewed(renewal: Renewal, wasGood: boolean): void;
  /** Nothing of what it holds can be written any more. */
  lostLease(worker: number): void;
  /** It has a new lease after one that was lost. */
  joinedAgain(): Promise<void>;
}

export class LeaseKeeper {
  readonly #holder: LeaseHolder;
  readonly #workflows: readonly WorkflowSpec[];
  readonly #leaseMs: number;
  readonly #outages: Backoff;
  #lease: HeldLease | undefined;
  #renewing = false;

  constructor(holder: LeaseHolder, workflows: readonly WorkflowSpec[], leaseMs: number) {
    this.#holder = holder;
    this.#workflows = workflows;
    this.#leaseMs = leaseMs;
    this.#outages = new Backoff(holder.clock);
  }

  get lease(): HeldLease | undefined {
    return this.#lease;
  }

  async join(): Promise<void> {
    const { store, clock } = this.#holder;
    for (;;) {
      const askedAt = clock.monotonic();
      try {
        const lease = await store.join({
          workflows: this.#workflows,
          leaseMs: this.#leaseMs,
          host: hostname(),
          pid: process.pid,
        });
        this.#outages.over();
        this.#lease = new HeldLease(clock, lease, {
          askedAt,
          leaseMs: this.#leaseMs,
          lost: () => this.#lose(lease.worker),
        });
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || !this.#holder.isRunning) throw error;
        this.#holder.storeIsOut(error);
        await this.#outages.wait();
      }
    }
  }

  /** To be called about twice a second. */
  renew(): void {
    if (this.#renewing) return;
    this.#renew().catch((error: unknown) => this.#holder.logger.error(String(error)));
  }

  async #renew(): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    const { store, clock, logger } = this.#holder;
    this.#renewing = true;
    const askedAt = clock.monotonic();
    try {
      const renewal = await store.renew(lease.asLease);
      if (this.#lease !== lease || this.#holder.isOver) return;
      if (renewal.live) {
        const wasGood = lease.good;
        lease.renewed(renewal, askedAt);
        this.#holder.renewed(renewal, wasGood);
      } else this.#lose(lease.worker);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) && !this.#holder.isOver)
        logger.error(`the store can't be used: ${String(error)}`);
    } finally {
      this.#renewing = false;
    }
  }

  #lose(worker: number): void {
    if (this.#lease?.worker !== worker) return;
    this.#fenced(worker).catch((error: unknown) => {
      // Stopped meanwhile, and its store closed: nobody wants it to go on.
      if (!this.#holder.isRunning) return;
      this.#holder.logger.error(`this worker can't go on, restart it: ${String(error)}`);
    });
  }

  /** Nothing of ours can be written any more: another worker took over, or the store refused a whole batch. */
  async #fenced(worker: number): Promise<void> {
    this.#lease = undefined;
    this.#holder.logger.warn(
      "this worker's lease is over (it was silent for too long, or its store failed); its runs go on elsewhere, and it joins again",
    );
    this.#holder.lostLease(worker);
    if (!this.#holder.isRunning) return;
    await this.join();
    await this.#holder.joinedAgain();
  }

  /** Whatever is still owned becomes due for others. */
  async leave(committer: Committer): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    await new Promise<void>((resolve) => {
      // A store that is out must not keep the process from ending: then the lease runs out by itself.
      const cancel = this.#holder.clock.after(LEAVE_MS, resolve, { unref: true });
      const left = (): void => {
        cancel();
        resolve();
      };
      committer.submit({ write: { kind: "leave" }, writer: lease, settle: left, fail: left });
    });
  }
}
