import type { Database } from "better-sqlite3";
import { type Batch, type Outcome, StoreError, type Write } from "@everstep/core";
import { AdvanceWrites } from "./advance-writes.ts";
import { troubleOf } from "./failure.ts";
import type { Leases } from "./leases.ts";
import { MessageWrites } from "./message-writes.ts";
import { OperateWrites } from "./operate-writes.ts";
import { decodeReplies, encodeReplies } from "./replies.ts";
import { FENCED, type Scope } from "./scope.ts";
import { StartWrites } from "./start-writes.ts";
import { prepare } from "./statement.ts";
import type { Transactions } from "./transactions.ts";

/** What a batch did: the answers, and the runs that others want to hear of. */
export interface Applied {
  readonly outcomes: readonly Outcome[];
  readonly changed: readonly string[];
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
  readonly advances: AdvanceWrites;
  readonly #transactions: Transactions;
  readonly #leases: Leases;
  readonly #starts: StartWrites;
  readonly #messages: MessageWrites;
  readonly #operates: OperateWrites;
  readonly #worker;
  readonly #number;

  constructor(db: Database, transactions: Transactions, leases: Leases) {
    this.#transactions = transactions;
    this.#leases = leases;
    this.advances = new AdvanceWrites(db);
    this.#starts = new StartWrites(db);
    this.#messages = new MessageWrites(db);
    this.#operates = new OperateWrites(db);
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
      return this.#transactions.write(() => this.#applyOnce(writes, lease, now, this.#plainly));
    } catch (error) {
      if (troubleOf(error) !== "data") throw error;
      // A bad row sinks itself only: again, each write with a savepoint of its own, which would cost too much as a habit.
      return this.#transactions.write(() => this.#applyOnce(writes, lease, now, this.#guarded));
    }
  }

  #applyOnce(
    writes: readonly Write[],
    lease: Sender | undefined,
    now: number,
    applyWrite: ApplyWrite,
  ): Applied {
    const scope: Scope = { now, worker: null, changed: [] };
    if (lease === undefined) {
      assertNoLeaseNeeded(writes);
      return { outcomes: writes.map((write) => applyWrite(write, scope)), changed: scope.changed };
    }
    const sender = this.#worker.get(lease.worker);
    // S2: also when the lease is gone by now; what was applied was applied.
    if (sender?.batch === lease.batch) return { outcomes: decodeReplies(sender.replies), changed: [] };
    if (sender === undefined) this.#leases.assertForgotten(lease.worker);
    else assertNext(lease, sender);
    scope.worker = sender?.live === 1 ? lease.worker : null;
    const outcomes = writes.map((write) => applyWrite(write, scope));
    // A dead worker's batch is numbered too: what its clients asked for was applied.
    this.#number.run(lease.batch, encodeReplies(outcomes, now), lease.worker);
    return { outcomes, changed: scope.changed };
  }

  readonly #plainly: ApplyWrite = (write, scope) => {
    switch (write.kind) {
      case "advance":
        return this.advances.apply(write, scope);
      case "start":
        return this.#starts.apply(write, scope);
      case "message":
        return this.#messages.apply(write, scope);
      case "operate":
        return this.#operates.apply(write, scope);
      case "leave":
        return scope.worker === null ? FENCED : this.#leases.leave(scope);
    }
  };

  readonly #guarded: ApplyWrite = (write, scope) =>
    this.#transactions.guard(
      () => this.#plainly(write, scope),
      (reason) => {
        scope.nextEntryNo = undefined;
        return { is: "refused", reason };
      },
    );
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
