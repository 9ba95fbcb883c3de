/** When a worker asks the store for due runs and for messages of the runs it holds: one question at a time, for all of them. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";
import { StoreUnavailableError } from "../errors.ts";
import type { Claim, ClaimResult, Store, WorkflowRef } from "../store.ts";
import type { Activation } from "./activation.ts";
import { Backoff } from "./backoff.ts";
import type { HeldLease } from "./lease.ts";

/** What it needs to know of its worker. */
export interface Claimant {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly workflows: readonly WorkflowRef[];
  readonly lease: HeldLease | undefined;
  /** It has let go of everything, and whoever stopped it may have closed its store. */
  readonly isOver: boolean;
  /** Free slots; 0 when it is stopping. */
  readonly free: number;
  /** Runs not to claim: an old body of theirs still runs here. */
  readonly haunted: readonly string[];
  storeIsOut(error: Error): void;
  held(runId: string): Activation | undefined;
  /** So many slots at most are needed: runs that only wait give theirs up. */
  makeRoom(max: number): void;
  /** `lookedAt`: when the store read its messages. */
  take(claim: Claim & { readonly lookedAt: number }): void;
  /** These workflows are paused, and no others: nothing of them may go on. */
  pausedNow(workflows: readonly string[]): void;
}

export class Claims {
  readonly #worker: Claimant;
  readonly #outages: Backoff;
  readonly #inboxes = new Set<Activation>();
  #asking = false;
  #again = false;
  /** The store is asked also when no slot is free: what the worker holds may have been paused. */
  #looking = false;
  readonly #asked: (() => void)[] = [];
  #stopped = false;
  #cancelDue: (() => void) | undefined;
  /** When runs are looked for next without any hint; infinite when no run is known to become due. */
  #plannedAt = Number.POSITIVE_INFINITY;
  /** What was parked since the store was last asked: its answer may not know of it. */
  #parkedUntil = Number.POSITIVE_INFINITY;
  /** More is due than was claimed. */
  moreDue = false;
  /** Something may have become due while no slot was free. */
  missed = false;

  constructor(worker: Claimant) {
    this.#worker = worker;
    this.#outages = new Backoff(worker.clock);
  }

  /** The messages of this run may have changed. */
  want(activation: Activation): void {
    this.#inboxes.add(activation);
    this.soon();
  }

  /** Without any hint, from time to time. */
  look(): void {
    this.#looking = true;
    this.soon();
  }

  soon(): void {
    if (this.#asking) this.#again = true;
    else {
      this.#asking = true;
      this.#ask().catch((error: unknown) =>
        this.#worker.logger.error(`runs can't be claimed: ${String(error)}`),
      );
    }
  }

  /** Resolves when the store has answered a question that was put from now on; with no slot free it is asked about messages only. */
  asked(): Promise<void> {
    return new Promise((resolve) => {
      this.#asked.push(resolve);
      this.soon();
    });
  }

  /** Something is due that has no slot. */
  get crowded(): boolean {
    return this.moreDue && this.#worker.free === 0;
  }

  /** When something is due next, as far as is known; null: nothing will be by itself. */
  get nextDueAt(): number | null {
    if (this.moreDue || this.missed) return this.#worker.lease?.now() ?? this.#worker.clock.now();
    return Number.isFinite(this.#plannedAt) ? this.#plannedAt : null;
  }

  /** A run was parked until then. */
  dueAt(at: number): void {
    this.#parkedUntil = Math.min(this.#parkedUntil, at);
    if (at < this.#plannedAt) this.#plan(at);
  }

  /** No more claims by itself; messages are still asked for. */
  stop(): void {
    this.#stopped = true;
    this.#cancelDue?.();
  }

  async #ask(): Promise<void> {
    do {
      this.#again = false;
      const inboxes = [...this.#inboxes].filter((activation) => !activation.over);
      this.#inboxes.clear();
      const asked = this.#asked.splice(0);
      try {
        await this.#askFor(inboxes);
        this.#outages.over();
        for (const answered of asked) answered();
      } catch (error) {
        for (const activation of inboxes) this.#inboxes.add(activation);
        this.#asked.push(...asked);
        if (error instanceof StoreUnavailableError) this.#worker.storeIsOut(error);
        else if (!this.#worker.isOver) this.#worker.logger.error(`runs can't be claimed: ${String(error)}`);
        await this.#outages.wait();
        this.#again = !this.#stopped;
      }
    } while (this.#again);
    this.#asking = false;
  }

  async #askFor(inboxes: readonly Activation[]): Promise<void> {
    const { lease, free, store, workflows, haunted } = this.#worker;
    if (!this.#stopped) this.missed = free === 0;
    if (lease === undefined || !lease.good) return;
    // Nobody knows whether anything is due: one slot is enough to ask.
    if (this.missed) this.#worker.makeRoom(1);
    if (free === 0 && inboxes.length === 0 && !this.#looking) return;
    this.#looking = false;
    this.#parkedUntil = Number.POSITIVE_INFINITY;
    const result = await store.claim({
      worker: lease.worker,
      limit: free,
      workflows,
      except: haunted,
      inboxes: inboxes.map((activation) => ({
        runId: activation.runId,
        after: activation.machine.inbox.lastNo,
      })),
    });
    if (this.#worker.lease !== lease) return;
    lease.synced(result.now);
    this.#worker.pausedNow(result.paused);
    for (const claim of result.claims) this.#worker.take({ ...claim, lookedAt: result.now });
    this.#hand(result, inboxes);
    this.#planNext(result, free);
  }

  #hand(result: ClaimResult, inboxes: readonly Activation[]): void {
    const answered = new Set<string>();
    for (const { runId, inbox, messages } of result.inboxes) {
      answered.add(runId);
      this.#worker.held(runId)?.addMessages(messages, inbox, result.now);
    }
    for (const activation of inboxes)
      if (!answered.has(activation.runId))
        activation.addMessages([], activation.machine.inbox.seen, result.now);
  }

  #planNext(result: ClaimResult, asked: number): void {
    const { now, nextDueAt, claims } = result;
    if (asked === 0) return; // it said nothing about what is due
    this.moreDue = nextDueAt !== null && nextDueAt <= now;
    if (this.moreDue && claims.length > 0 && this.#worker.free > 0) this.#again = true;
    if (this.crowded) this.#worker.makeRoom(Number.POSITIVE_INFINITY);
    this.#plan(
      Math.min(
        this.#parkedUntil,
        this.moreDue ? Number.POSITIVE_INFINITY : (nextDueAt ?? Number.POSITIVE_INFINITY),
      ),
    );
  }

  #plan(at: number): void {
    const { lease, clock } = this.#worker;
    this.#cancelDue?.();
    this.#plannedAt = at;
    if (!Number.isFinite(at) || this.#stopped || lease === undefined) return;
    this.#cancelDue = clock.after(at - lease.now(), () => this.#due(), { unref: true });
  }

  /** Until a slot is free to ask for it, it stays due. */
  #due(): void {
    this.#plannedAt = Number.POSITIVE_INFINITY;
    this.moreDue = true;
    this.soon();
  }
}
