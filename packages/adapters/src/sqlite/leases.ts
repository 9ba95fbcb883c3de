import type { Database } from "better-sqlite3";
import { type JoinRequest, type Lease, type Outcome, type Renewal, StoreError } from "@everstep/core";
import type { Catalog } from "./catalog.ts";
import { troubleOf } from "./failure.ts";
import { DONE, type Scope } from "./scope.ts";
import { isFree, kernelId, removeSideFile, SideLock, sideFile } from "./side-lock.ts";
import { prepare } from "./statement.ts";
import type { Transactions } from "./transactions.ts";

/** How far apart two looks at a free lock must be for its worker to be dead. */
const LOOKS_APART_MS = 400;

/** A worker compares what it holds with what the store says about this often. */
const OWNED_EVERY_MS = 3_000;

/** A worker that was away itself for so long, frozen or without a disk, judges nobody by the clock yet. */
const AWAY_MS = 5_000;

/** Rows of dead workers are kept for a day: a frozen one that comes back is fenced with and without. */
const KEEP_DEAD_MS = 86_400_000;

interface LiveWorker {
  readonly id: number;
  readonly batch: number;
  readonly expires_at: number;
  readonly lease_ms: number;
  /** Null: it holds no side lock. */
  readonly kernel: string | null;
}

/** What this process has seen of another worker whose lock is free. */
interface Suspicion {
  readonly batch: number;
  readonly expiresAt: number;
  readonly since: number;
}

/** What this process remembers of a worker of its own. */
interface Own {
  readonly lock: SideLock | undefined;
  renewedAt: number;
  ownedAt: number;
}

/**
 * The lease protocol. A worker is one row, whatever it holds. It is live until somebody marks it dead, in one transaction with
 * freeing its runs; from then on the fence of every write finds it dead (S3). Somebody may do so when the lease is over, or
 * when the worker's side lock was found free twice while its row stood still.
 */
export class Leases {
  readonly #file: string;
  readonly #transactions: Transactions;
  readonly #catalog: Catalog;
  readonly #own = new Map<number, Own>();
  readonly #suspicions = new Map<number, Suspicion>();
  readonly #insert;
  readonly #locked;
  readonly #forgetDead;
  readonly #lastId;
  readonly #live;
  readonly #extend;
  readonly #kill;
  readonly #strike;
  readonly #owned;
  readonly #end;
  readonly #release;

  constructor(db: Database, file: string, transactions: Transactions, catalog: Catalog) {
    this.#file = file;
    this.#catalog = catalog;
    this.#transactions = transactions;
    this.#insert = prepare<[number, number, string, number, string]>(
      db,
      `INSERT INTO everstep_workers (live, expires_at, lease_ms, host, pid, workflows) VALUES (1, ?, ?, ?, ?, ?)`,
    );
    this.#locked = prepare<[string, number]>(db, `UPDATE everstep_workers SET kernel = ? WHERE id = ?`);
    this.#forgetDead = prepare<[number]>(
      db,
      `DELETE FROM everstep_workers WHERE live = 0 AND expires_at < ?`,
    );
    this.#lastId = prepare<[], number>(
      db,
      `SELECT seq FROM sqlite_sequence WHERE name = 'everstep_workers'`,
    ).pluck();
    this.#live = prepare<[], LiveWorker>(
      db,
      `SELECT id, batch, expires_at, lease_ms, kernel FROM everstep_workers INDEXED BY everstep_workers_live WHERE live = 1`,
    );
    this.#extend = prepare<[number, number]>(
      db,
      `UPDATE everstep_workers SET expires_at = ? WHERE id = ? AND live = 1`,
    );
    // Only as it was when it was judged: a sign of life since then saves it.
    this.#kill = prepare<[number, number, number]>(
      db,
      `UPDATE everstep_workers SET live = 0 WHERE id = ? AND live = 1 AND batch = ? AND expires_at = ?`,
    );
    this.#strike = prepare<[number, number]>(
      db,
      `UPDATE everstep_runs INDEXED BY everstep_runs_owned SET owner = NULL, due_at = iif(paused IS NULL, ?, NULL), interrupted = 1,
         strikes = strikes + 1, strikes_alone = strikes_alone + alone, alone = 0
       WHERE owner = ?`,
    );
    this.#owned = prepare<[number], { runId: string; attempt: number; inbox: number }>(
      db,
      `SELECT id AS runId, attempt, inbox FROM everstep_runs INDEXED BY everstep_runs_owned WHERE owner = ?`,
    );
    this.#end = prepare<[number]>(db, `UPDATE everstep_workers SET live = 0 WHERE id = ?`);
    this.#release = prepare<[number, number], string>(
      db,
      `UPDATE everstep_runs INDEXED BY everstep_runs_owned SET owner = NULL, due_at = iif(paused IS NULL, ?, NULL), alone = 0
       WHERE owner = ? RETURNING id`,
    ).pluck();
  }

  /** The lock is taken before the row can be seen, so no other worker ever finds a live row with a free lock. */
  join(request: JoinRequest, now: number): Lease {
    const taken: SideLock[] = [];
    try {
      const worker = this.#transactions.write(() => this.#enter(request, now, taken));
      this.#own.set(worker, { lock: taken[0], renewedAt: now, ownedAt: -Infinity });
      return { worker, now, expiresAt: now + request.leaseMs };
    } catch (error) {
      for (const lock of taken) lock.release();
      throw error;
    }
  }

  renew(lease: Lease, now: number): Renewal {
    const live = this.#live.all();
    const row = live.find(({ id }) => id === lease.worker);
    if (row === undefined) return this.#lost(lease, now);
    const own = this.#own.get(lease.worker);
    const wasAway = own !== undefined && now - own.renewedAt > AWAY_MS;
    if (own !== undefined) own.renewedAt = now;
    const expiresAt = this.#extendWhenUsed(row, now);
    const others = live.filter(({ id }) => id !== lease.worker);
    const dead = others.filter((other) => this.#isDead(other, wasAway ? -Infinity : now));
    const reaped = dead.filter((other) => this.#takeOver(other, now)).length;
    this.#forgetSuspicions(others);
    return { live: true, now, expiresAt, owned: this.#lookUpOwned(lease.worker, own), reaped };
  }

  /** Inside the batch's transaction. Its runs are due without a strike. */
  leave(scope: Scope): Outcome {
    const worker = scope.worker ?? 0;
    this.#end.run(worker);
    for (const runId of this.#release.all(scope.now, worker)) scope.changed.push(runId);
    scope.worker = null;
    return DONE;
  }

  /** That there was such a worker, whose row was tidied away since. */
  assertForgotten(worker: number): void {
    const last = this.#lastId.get() ?? 0;
    if (worker <= last) return;
    throw new StoreError(
      `there is no worker ${worker} in ${this.#file}: use the lease that join() of this store gave`,
    );
  }

  /** After the worker has left, or has found that it is dead. */
  forget(worker: number): void {
    this.#own.get(worker)?.lock?.release();
    this.#own.delete(worker);
  }

  /** The store closes. Workers that have not left are found dead by others. */
  forgetAll(): void {
    for (const worker of this.#own.keys()) this.forget(worker);
  }

  #enter(request: JoinRequest, now: number, taken: SideLock[]): number {
    this.#forgetDead.run(now - KEEP_DEAD_MS);
    const { leaseMs, host, pid } = request;
    const workflows = JSON.stringify(request.workflows.map(({ name, version }) => ({ name, version })));
    this.#catalog.tell(request.workflows, now);
    const worker = Number(this.#insert.run(now + leaseMs, leaseMs, host, pid, workflows).lastInsertRowid);
    const lock = SideLock.take(sideFile(this.#file, worker));
    if (lock === undefined) return worker;
    taken.push(lock);
    this.#locked.run(kernelId, worker);
    return worker;
  }

  #lost(lease: Lease, now: number): Renewal {
    this.forget(lease.worker);
    return { live: false, now, expiresAt: lease.expiresAt, owned: null, reaped: 0 };
  }

  /** Renewal is free, but for one write in a third of the lease. */
  #extendWhenUsed(row: LiveWorker, now: number): number {
    const leftMs = row.expires_at - now;
    if (leftMs > (row.lease_ms * 2) / 3) return row.expires_at;
    const expiresAt = now + row.lease_ms;
    this.#transactions.write(() => this.#extend.run(expiresAt, row.id));
    return expiresAt;
  }

  #isDead(other: LiveWorker, now: number): boolean {
    if (other.expires_at <= now) return true;
    if (other.kernel !== kernelId || !isFree(sideFile(this.#file, other.id))) {
      this.#suspicions.delete(other.id);
      return false;
    }
    return this.#isFreeAgain(other);
  }

  #isFreeAgain({ id, batch, expires_at: expiresAt }: LiveWorker): boolean {
    const before = this.#suspicions.get(id);
    if (before?.batch === batch && before.expiresAt === expiresAt) {
      return performance.now() - before.since >= LOOKS_APART_MS;
    }
    this.#suspicions.set(id, { batch, expiresAt, since: performance.now() });
    return false;
  }

  #takeOver(dead: LiveWorker, now: number): boolean {
    try {
      if (!this.#transactions.write(() => this.#bury(dead, now))) return false;
    } catch (error) {
      // The next renewal finds it as dead.
      if (troubleOf(error) === "busy") return false;
      throw error;
    }
    this.#tidy(dead.id);
    return true;
  }

  #bury({ id, batch, expires_at: expiresAt }: LiveWorker, now: number): boolean {
    if (this.#kill.run(id, batch, expiresAt).changes === 0) return false;
    this.#strike.run(now, id);
    return true;
  }

  /** A worker of this very process keeps its lock until it has noticed. */
  #tidy(worker: number): void {
    if (!this.#own.has(worker)) removeSideFile(sideFile(this.#file, worker));
  }

  #forgetSuspicions(others: readonly LiveWorker[]): void {
    if (this.#suspicions.size === 0) return;
    const live = new Set(others.map(({ id }) => id));
    for (const id of this.#suspicions.keys()) if (!live.has(id)) this.#suspicions.delete(id);
  }

  #lookUpOwned(worker: number, own: Own | undefined): Renewal["owned"] {
    if (own !== undefined && performance.now() - own.ownedAt < OWNED_EVERY_MS) return null;
    if (own !== undefined) own.ownedAt = performance.now();
    return this.#owned.all(worker);
  }
}
