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

interface Fenced {
  readonly batch: number;
  readonly live: number;
  readonly replies: string | null;
}

type LeasedBatch = NonNullable<Batch["lease"]>;

/** Applies batches: one transaction each (S1), at most once each (S2), under a lease that still holds (S3). */
export class Batches {
  readonly advances: AdvanceWrites;
  readonly #transactions: Transactions;
  readonly #leases: Leases;
  readonly #starts: StartWrites;
  readonly #messages: MessageWrites;
  readonly #operates: OperateWrites;
  readonly #take;
  readonly #look;
  readonly #remember;

  constructor(db: Database, transactions: Transactions, leases: Leases) {
    this.#transactions = transactions;
    this.#leases = leases;
    this.advances = new AdvanceWrites(db);
    this.#starts = new StartWrites(db);
    this.#messages = new MessageWrites(db);
    this.#operates = new OperateWrites(db);
    // S2: each number once. A dead worker's batch is numbered too: what its clients asked for is applied, and remembered.
    this.#take = prepare<[number, number], number>(
      db,
      `UPDATE everstep_workers SET batch = ?1, replies = NULL WHERE id = ?2 AND batch = ?1 - 1 RETURNING live`,
    ).pluck();
    this.#look = prepare<[number], Fenced>(
      db,
      `SELECT batch, live, replies FROM everstep_workers WHERE id = ?`,
    );
    this.#remember = prepare<[string, number]>(db, `UPDATE everstep_workers SET replies = ? WHERE id = ?`);
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
    lease: LeasedBatch | undefined,
    now: number,
    applyWrite: (write: Write, scope: Scope) => Outcome,
  ): Applied {
    const scope: Scope = { now, worker: null, changed: [] };
    if (lease !== undefined) {
      const live = this.#take.get(lease.batch, lease.worker) ?? this.#resent(lease);
      if (typeof live === "object") return { outcomes: this.#remembered(live, writes), changed: [] };
      scope.worker = live === 1 ? lease.worker : null;
    }
    const outcomes: Outcome[] = [];
    for (const write of writes) outcomes.push(applyWrite(write, scope));
    if (lease !== undefined) this.#keepReplies(lease, writes, outcomes);
    return { outcomes, changed: scope.changed };
  }

  /** Why the number was not the next one: it was applied before; or the lease is gone, whatever the number. */
  #resent({ worker, batch }: LeasedBatch): 0 | Fenced {
    const row = this.#look.get(worker);
    if (row?.batch === batch) return row;
    if (row === undefined || row.live === 0) return 0;
    throw new StoreError(
      `worker ${worker} sent batch ${batch} after batch ${row.batch}: its batches must be numbered 1, 2, 3 … without gaps`,
    );
  }

  #remembered(row: Fenced, writes: readonly Write[]): readonly Outcome[] {
    return decodeReplies(row.replies, writes, (runId) => this.#starts.createdAt(runId) ?? 0);
  }

  #keepReplies({ worker }: LeasedBatch, writes: readonly Write[], outcomes: readonly Outcome[]): void {
    const replies = encodeReplies(writes, outcomes);
    if (replies !== null) this.#remember.run(replies, worker);
  }

  readonly #plainly = (write: Write, scope: Scope): Outcome => {
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

  readonly #guarded = (write: Write, scope: Scope): Outcome =>
    this.#transactions.guard(
      () => this.#plainly(write, scope),
      (reason) => ({ is: "refused", reason }),
    );
}
