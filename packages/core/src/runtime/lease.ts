import type { Clock } from "../clock.ts";
import type { Lease } from "../store.ts";
import type { Writer } from "./committer.ts";

/** A part of the lease is kept back: a body that begins late in it would outlive it. */
const MARGIN = 0.2;

/** One worker's right to write, and the store's clock as this process knows it. */
export class HeldLease implements Writer {
  readonly worker: number;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  #batch = 0;
  #expiresAt = 0;
  /** The store's clock minus our monotonic one. */
  #offsetMs = 0;
  /** By our monotonic clock: a process that was frozen notices at once. */
  #goodUntil = 0;

  /** Called when the lease is found to be of no use any more. */
  readonly lost: () => void;

  constructor(
    clock: Clock,
    lease: Lease,
    terms: { readonly askedAt: number; readonly leaseMs: number; readonly lost: () => void },
  ) {
    const { askedAt, leaseMs, lost } = terms;
    this.lost = lost;
    this.worker = lease.worker;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.renewed(lease, askedAt);
  }

  nextBatch(): number {
    this.#batch += 1;
    return this.#batch;
  }

  get asLease(): Lease {
    return { worker: this.worker, now: this.now(), expiresAt: this.#expiresAt };
  }

  /** `askedAt` is our monotonic clock before the store was asked: the lease is not longer than it was then. */
  renewed(answer: { readonly now: number; readonly expiresAt: number }, askedAt: number): void {
    this.synced(answer.now);
    this.#expiresAt = answer.expiresAt;
    this.#goodUntil = askedAt + (answer.expiresAt - answer.now);
  }

  synced(now: number): void {
    this.#offsetMs = now - this.#clock.monotonic();
  }

  /** The store's clock, in whole milliseconds. */
  now(): number {
    return Math.floor(this.#clock.monotonic() + this.#offsetMs);
  }

  /** Within the lease by both clocks, minus the margin. */
  get good(): boolean {
    const marginMs = this.#leaseMs * MARGIN;
    return this.#clock.monotonic() < this.#goodUntil - marginMs && this.now() < this.#expiresAt - marginMs;
  }
}
