import type { Database } from "better-sqlite3";
import {
  type Batch,
  type Claim,
  type ClaimRequest,
  type ClaimResult,
  type EventRecord,
  type Figures,
  type FiguresSpan,
  type Finding,
  type Hint,
  type Interest,
  type JoinRequest,
  type Lease,
  type Outcome,
  type OutboxRow,
  type Page,
  type PageRequest,
  type Renewal,
  type RunDetails,
  type RunFilter,
  type Store,
  StoreError,
  type TransactRequest,
  type WorkerLoad,
  type WorkflowRecord,
} from "@everstep/core";
import { Batches } from "./batches.ts";
import { Claims, type Picked } from "./claims.ts";
import { Enlisted } from "./enlisted.ts";
import { EventLists } from "./event-writes.ts";
import { examination } from "./examination.ts";
import { sqliteCodeOf, storeFailure } from "./failure.ts";
import { StoreFigures } from "./figures.ts";
import { FileIdentity } from "./file-identity.ts";
import { Leases } from "./leases.ts";
import { insist } from "./patience.ts";
import { RunLists } from "./run-lists.ts";
import { RunReader } from "./run-reader.ts";
import type { Scope } from "./scope.ts";
import { CallerError, Transacting } from "./transacting.ts";
import { Transactions } from "./transactions.ts";
import { Watching } from "./watching.ts";
import { Writes } from "./writes.ts";

/** Loading claimed runs pauses after so long, so that long journals don't stall the process. */
const LOAD_SLICE_MS = 8;

interface Loaded {
  /** Undefined when the worker was taken over meanwhile and does not own the run any more. */
  readonly claim: Claim | undefined;
  /** Why the run can't be read. */
  readonly damage?: Error;
}

export interface StoreSettings {
  readonly db: Database;
  readonly file: string;
  readonly lockWaitMs: number;
  /** The store's clock: that of the machine, which all processes of a SQLite file share (S9). */
  readonly now: () => number;
}

/**
 * The port over one file and one connection, on the thread that calls. Every method is one or two synchronous transactions;
 * only waiting for another process's lock is asynchronous.
 */
export class SqliteStore implements Store<Database> {
  readonly #settings: StoreSettings;
  readonly #db: Database;
  readonly #identity: FileIdentity;
  readonly #transactions: Transactions;
  readonly #writes: Writes;
  readonly #leases: Leases;
  readonly #batches: Batches;
  readonly #enlisted: Enlisted;
  readonly #transacting: Transacting;
  readonly #reader: RunReader;
  readonly #claims: Claims;
  readonly #lists: RunLists;
  readonly #events: EventLists;
  readonly #figures: StoreFigures;
  readonly #watching: Watching;

  constructor(settings: StoreSettings) {
    const { db, file } = settings;
    this.#settings = settings;
    this.#db = db;
    this.#identity = new FileIdentity(file);
    this.#transactions = new Transactions(db);
    this.#writes = new Writes(db);
    const { catalog, advances } = this.#writes;
    this.#leases = new Leases(db, file, this.#transactions, catalog);
    this.#batches = new Batches(db, this.#transactions, this.#leases, this.#writes);
    this.#enlisted = new Enlisted(this.#identity);
    this.#transacting = new Transacting(db, this.#transactions, advances);
    this.#reader = new RunReader(db, catalog);
    this.#claims = new Claims(db, this.#transactions, this.#reader, catalog);
    this.#lists = new RunLists(db);
    this.#events = new EventLists(db);
    this.#figures = new StoreFigures(db);
    this.#watching = new Watching(db);
  }

  /**
   * With `tx`, a connection of the application, all is done when this returns, and what is wrong is thrown at once: the caller's
   * synchronous transaction rolls back, instead of committing without what was refused.
   */
  commit(batch: Batch<Database>): Promise<readonly Outcome[]> {
    if (batch.tx === undefined) return this.#commit(batch);
    const outcomes = this.#enlist(batch.tx, batch);
    batch.onOutcomes?.(outcomes);
    return Promise.resolve(outcomes);
  }

  async transact<T>(
    request: TransactRequest<Database, T>,
  ): Promise<{ readonly is: "done" } | { readonly is: "fenced" }> {
    try {
      return await this.#insist((now) => this.#transacting.apply(request, now));
    } catch (error) {
      throw error instanceof CallerError ? error.thrown : error;
    }
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const { now, picked, nextDueAt, paused } = await this.#insist((at) => ({
      now: at,
      ...this.#claims.pick(request, at),
    }));
    const claims = await this.#load(picked, request.worker);
    const inboxes = request.inboxes.length === 0 ? [] : await this.#read(() => this.#claims.inboxes(request));
    // P7: of before the messages were read. What another process accepts after that is not among them, and must not seem to be missing.
    return { now, claims, inboxes, nextDueAt, paused };
  }

  join(request: JoinRequest): Promise<Lease> {
    return this.#insist((now) => this.#leases.join(request, now));
  }

  async renew(lease: Lease): Promise<Renewal> {
    const renewal = await this.#insist((now) => {
      this.#identity.look();
      this.#identity.assertSame();
      return this.#leases.renew(lease, now);
    });
    if (renewal.reaped > 0) this.#watching.tellAll();
    return renewal;
  }

  read(runId: string): Promise<RunDetails | undefined> {
    return this.#read((now) => this.#reader.details(runId, now));
  }

  list(filter: RunFilter, page: PageRequest): Promise<Page> {
    return this.#read((now) => this.#lists.page(filter, page, now));
  }

  count(filter: RunFilter): Promise<number> {
    return this.#read((now) => this.#lists.count(filter, now));
  }

  workflows(): Promise<readonly WorkflowRecord[]> {
    return this.#read((now) => this.#writes.catalog.records(now));
  }

  workers(): Promise<readonly WorkerLoad[]> {
    return this.#read(() => this.#figures.workers());
  }

  figures(span: FiguresSpan): Promise<Figures> {
    return this.#read((now) => this.#figures.figures(span, now));
  }

  examine(): Promise<readonly Finding[]> {
    return this.#insist(() => examination(this.#db));
  }

  events(filter: { readonly name?: string; readonly limit: number }): Promise<readonly EventRecord[]> {
    return this.#read(() => this.#events.newest(filter));
  }

  takeOutbox(request: { readonly limit: number; readonly forMs: number }): Promise<readonly OutboxRow[]> {
    return this.#insist((now) => this.#writes.outbox.take(request, now, this.#transactions));
  }

  watch(listener: (hint: Hint) => void, interest?: Interest): () => void {
    return this.#watching.add(listener, interest);
  }

  async close(): Promise<void> {
    this.#watching.close();
    this.#leases.forgetAll();
    this.#db.close();
  }

  async #commit(batch: Batch<Database>): Promise<readonly Outcome[]> {
    const { outcomes, ...news } = await this.#insist((now) => this.#batches.apply(batch, now));
    if (batch.lease !== undefined && batch.writes.some(({ kind }) => kind === "leave")) {
      this.#leases.forget(batch.lease.worker);
    }
    if (news.changedAll === true) this.#watching.tellAll();
    else this.#watching.tell(news);
    batch.onOutcomes?.(outcomes);
    return outcomes;
  }

  #enlist(tx: Database, batch: Batch<Database>): readonly Outcome[] {
    try {
      this.#assertUsable();
      const scope: Scope = { now: this.#settings.now(), worker: null, changed: [], over: [] };
      const outcomes = this.#enlisted.apply(tx, batch, scope);
      this.#watching.tell(scope);
      return outcomes;
    } catch (error) {
      throw storeFailure(error, this.#settings.file);
    }
  }

  /** In slices: what a worker has claimed stays as it is, but for new messages, which a run's own snapshot counts. */
  async #load(picked: readonly Picked[], worker: number): Promise<readonly Claim[]> {
    const loaded: Loaded[] = [];
    while (loaded.length < picked.length) {
      if (loaded.length > 0) await new Promise(setImmediate);
      loaded.push(...(await this.#read(() => this.#loadSlice(picked.slice(loaded.length), worker))));
    }
    const claims = loaded.flatMap(({ claim }) => (claim === undefined ? [] : [claim]));
    // A damaged run takes no other one with it (F57): its worker gives it back, and is told when it is claimed alone.
    const damage = loaded.find((one) => one.damage !== undefined)?.damage;
    if (damage !== undefined && claims.length === 0) throw damage;
    return claims;
  }

  #loadSlice(picked: readonly Picked[], worker: number): readonly Loaded[] {
    const until = performance.now() + LOAD_SLICE_MS;
    const loaded: Loaded[] = [];
    for (const one of picked) {
      loaded.push(this.#loadOne(one, worker));
      if (performance.now() > until) break;
    }
    return loaded;
  }

  #loadOne({ no, attempt }: Picked, worker: number): Loaded {
    try {
      return { claim: this.#reader.owned(no, worker, attempt) };
    } catch (error) {
      if (sqliteCodeOf(error) !== undefined || !(error instanceof Error)) throw error;
      return { claim: undefined, damage: error };
    }
  }

  #read<T>(work: (now: number) => T): Promise<T> {
    return this.#insist((now) => this.#transactions.read(() => work(now)));
  }

  #insist<T>(attempt: (now: number) => T): Promise<T> {
    const { file, lockWaitMs: giveUpAfterMs, now } = this.#settings;
    return insist(
      () => {
        this.#assertUsable();
        return attempt(now());
      },
      { file, giveUpAfterMs },
    );
  }

  #assertUsable(): void {
    if (!this.#db.open) throw new StoreError(`the store of ${this.#settings.file} was closed`);
    this.#identity.assertSame();
  }
}
