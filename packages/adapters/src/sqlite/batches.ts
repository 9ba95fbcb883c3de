import type { Database } from "better-sqlite3";
import { type Batch, type Outcome, StoreError, type Write } from "@everstep/core";
import { troubleOf } from "./failure.ts";
import type { Leases } from "./leases.ts";
import { decodeReplies, encodeReplies } from "./replies.ts";
import { FENCED, type Guard, type Scope } from "./scope.ts";
import { prepare } from "./statement.ts";
import type { Transactions } from "./transactions.ts";
import type { Writes } from "./writes.ts";

/** What a batch did: the answers, and the runs that others want to hear of. */
export interface Applied {
  readonly outcomes: readonly Outcome[];
  readonly changed: readonly string[];
  readonly over: readonly string[];
  /** So many may be due that nobody listed them. */
  readonly changedAll?: boolean;
}

/** A worker, as the fence of its batches sees it. */
interface Numbered {
  readonly batch: number;
  readonly live: number;
  readonly replies: string;
}

type Sender = NonNullable<Batch["lease"]>;
type ApplyWrite = (write: Write, scope: Scope) => Outcome;

/** Applies batches: one transaction each (S1), at most once each (S2), under a lease that still holds (S3). */
export class Batches {
  readonly #transactions: Transactions;
  readonly #leases: Leases;
  readonly #writes: Writes;
  readonly #worker;
  readonly #number;

  constructor(db: Database, transactions: Transactions, leases: Leases, writes: Writes) {
    this.#transactions = transactions;
    this.#leases = leases;
    this.#writes = writes;
    this.#worker = prepare<[number], Numbered>(
      db,
      `SELECT batch, live, replies FROM everstep_workers WHERE id = ?`,
    );
    this.#number = prepare<[number, string, number]>(
      db,
      `UPDATE everstep_workers SET batch = ?, replies = ? WHERE id = ?`,
    );
  }

  apply({ writes, lease }: Batch, now: number): Applied {
    try {
      return this.#transactions.write(() =>
        this.#applyOnce(writes, lease, { now, worker: null, changed: [], over: [] }, this.#plainly),
      );
    } catch (error) {
      if (troubleOf(error) !== "data") throw error;
      // A bad row sinks itself only: again, each write with a savepoint of its own, which would cost too much as a habit.
      const guard: Guard = (work, refuse) => this.#transactions.guard(work, refuse);
      return this.#transactions.write(() =>
        this.#applyOnce(writes, lease, { now, worker: null, changed: [], over: [], guard }, this.#guarded),
      );
    }
  }

  #applyOnce(
    writes: readonly Write[],
    lease: Sender | undefined,
    scope: Scope,
    applyWrite: ApplyWrite,
  ): Applied {
    if (lease === undefined) {
      assertNoLeaseNeeded(writes);
      return appliedOf(
        writes.map((write) => applyWrite(write, scope)),
        scope,
      );
    }
    const sender = this.#worker.get(lease.worker);
    // S2: also when the lease is gone by now; what was applied was applied.
    if (sender?.batch === lease.batch)
      return { outcomes: decodeReplies(sender.replies), changed: [], over: [] };
    if (sender === undefined) this.#leases.assertForgotten(lease.worker);
    else assertNext(lease, sender);
    scope.worker = sender?.live === 1 ? lease.worker : null;
    const outcomes = writes.map((write) => applyWrite(write, scope));
    // A dead worker's batch is numbered too: what its clients asked for was applied.
    this.#number.run(lease.batch, encodeReplies(outcomes, scope.now), lease.worker);
    return appliedOf(outcomes, scope);
  }

  readonly #plainly: ApplyWrite = (write, scope) =>
    write.kind === "leave"
      ? scope.worker === null
        ? FENCED
        : this.#leases.leave(scope)
      : this.#writes.apply(write, scope);

  readonly #guarded: ApplyWrite = (write, scope) =>
    this.#transactions.guard(
      () => this.#plainly(write, scope),
      (reason) => {
        scope.nextEntryNo = undefined;
        return { is: "refused", reason };
      },
    );
}

function appliedOf(outcomes: readonly Outcome[], { changed, over, changedAll = false }: Scope): Applied {
  return { outcomes, changed, over, changedAll };
}

function assertNoLeaseNeeded(writes: readonly Write[]): void {
  if (
    !writes.some(
      ({ kind, ...write }) => kind === "advance" || kind === "leave" || ("claim" in write && write.claim),
    )
  )
    return;
  throw new StoreError(
    "a batch without a lease can't advance runs, start claimed ones or leave: give the worker's lease",
  );
}

function assertNext({ worker, batch }: Sender, sender: Numbered): void {
  if (sender.batch === batch - 1) return;
  throw new StoreError(
    `worker ${worker} sent batch ${batch} after batch ${sender.batch}: its batches must be numbered 1, 2, 3 … without gaps`,
  );
}
