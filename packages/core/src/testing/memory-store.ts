/** The reference implementation of the store port: exact, in memory, with transactions. */
import { type Clock, systemClock } from "../clock.ts";
import { StoreError, StoreUnavailableError } from "../errors.ts";
import type {
  Batch,
  ClaimRequest,
  ClaimResult,
  EventRecord,
  Figures,
  FiguresSpan,
  Finding,
  Hint,
  JoinRequest,
  Lease,
  Outcome,
  OutboxRow,
  Page,
  PageRequest,
  Renewal,
  RunDetails,
  RunFilter,
  Store,
  TransactRequest,
  WorkerLoad,
  WorkflowRecord,
} from "../store.ts";
import { advance } from "./memory/advance.ts";
import { applyBatch, holdsLease } from "./memory/batch.ts";
import { copyOf } from "./memory/copy.ts";
import { Draft } from "./memory/draft.ts";
import { dump, type MemoryDump } from "./memory/dump.ts";
import { figures, workers } from "./memory/figures.ts";
import { listEvents } from "./memory/events.ts";
import { claim, join, renew } from "./memory/leases.ts";
import { takeOutbox } from "./memory/outbox.ts";
import { count, list, read } from "./memory/reading.ts";
import { emptyData, type MemoryData } from "./memory/rows.ts";
import { type MemoryTx, Transaction } from "./memory/transaction.ts";
import { listWorkflows } from "./memory/workflows.ts";

export interface MemoryStoreOptions {
  /** The store's time: leases expire and runs become due by it. Default: the system's. */
  readonly clock?: Clock;
  /** `false`: nobody is ever told that something changed, so that everything must be found by polling. */
  readonly hints?: boolean;
}

/** A store for tests: as durable as the object, otherwise as good as a database. */
export interface MemoryStore extends Store<MemoryTx> {
  /** Opens a transaction, to be given as `tx` to what shall commit together. */
  begin(): MemoryTx;
  /** Another store on the same data, as another process would open it; closing one leaves the other open. */
  reopen(): MemoryStore;
  /** All that is stored, also what the port never shows: consumed messages, digests, dead workers. Plain JSON. */
  dump(): MemoryDump;
}

/** How often `transact` runs a body whose transaction could not be serialized. */
const TRANSACT_TRIES_MAX = 5;

export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return new InMemory(emptyData(), { clock: systemClock, hints: true, ...options });
}

type Transacted = { readonly is: "done" } | { readonly is: "fenced" };

class InMemory implements MemoryStore {
  readonly #data: MemoryData;
  readonly #options: Required<MemoryStoreOptions>;
  readonly #listeners = new Set<(hint: Hint) => void>();
  #open = true;

  constructor(data: MemoryData, options: Required<MemoryStoreOptions>) {
    this.#data = data;
    this.#options = options;
  }

  begin(): MemoryTx {
    return this.#begin();
  }

  reopen(): MemoryStore {
    return new InMemory(this.#data, this.#options);
  }

  dump(): MemoryDump {
    return copyOf(dump(this.#data));
  }

  async commit({ tx, writes, lease, onOutcomes }: Batch<MemoryTx>): Promise<readonly Outcome[]> {
    const batch = copyOf({ writes, ...(lease === undefined ? {} : { lease }) });
    const now = this.#now();
    const work = (draft: Draft): readonly Outcome[] => applyBatch(draft, batch, now);
    if (tx !== undefined && lease !== undefined) throw new StoreError("a batch with `tx` can have no lease");
    const outcomes = copyOf(tx === undefined ? this.#atomically(work) : this.#own(tx).do(work));
    onOutcomes?.(outcomes);
    return outcomes;
  }

  async transact<T>(request: TransactRequest<MemoryTx, T>): Promise<Transacted> {
    for (let tries = 1; tries <= TRANSACT_TRIES_MAX; tries++) {
      const answer = await this.#tryTransact(request);
      if (answer !== undefined) return answer;
    }
    throw new StoreUnavailableError(
      `run ${request.runId}: its transaction could not be serialized with others`,
    );
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const now = this.#now();
    return copyOf(this.#atomically((draft) => claim(draft, copyOf(request), now)));
  }

  async join(request: JoinRequest): Promise<Lease> {
    const now = this.#now();
    return this.#atomically((draft) => join(draft, copyOf(request), now));
  }

  async renew(lease: Lease): Promise<Renewal> {
    const now = this.#now();
    return this.#atomically((draft) => renew(draft, lease, now));
  }

  async read(runId: string): Promise<RunDetails | undefined> {
    return copyOf(read(this.#data, runId, this.#now()));
  }

  async list(filter: RunFilter, page: PageRequest): Promise<Page> {
    return copyOf(list(this.#data, filter, page, this.#now()));
  }

  async count(filter: RunFilter): Promise<number> {
    return count(this.#data, filter, this.#now());
  }

  async workflows(): Promise<readonly WorkflowRecord[]> {
    return copyOf(listWorkflows(new Draft(this.#data), this.#now()));
  }

  async workers(): Promise<readonly WorkerLoad[]> {
    this.#now();
    return copyOf(workers(this.#data));
  }

  async figures(span: FiguresSpan): Promise<Figures> {
    return figures(this.#data, span, this.#now());
  }

  async examine(): Promise<readonly Finding[]> {
    this.#now();
    return [];
  }

  async events(filter: { readonly name?: string; readonly limit: number }): Promise<readonly EventRecord[]> {
    this.#now();
    return listEvents(this.#data, filter);
  }

  async takeOutbox(request: {
    readonly limit: number;
    readonly forMs: number;
  }): Promise<readonly OutboxRow[]> {
    const now = this.#now();
    return this.#atomically((draft) => takeOutbox(draft, request, now));
  }

  watch(listener: (hint: Hint) => void): () => void {
    // One watcher may be given twice: each gets an identity of its own.
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    this.#data.listeners.add(own);
    return () => this.#forget(own);
  }

  async close(): Promise<void> {
    this.#open = false;
    for (const listener of this.#listeners) this.#forget(listener);
  }

  /** Answers nothing when the transaction could not be serialized: then its body is to run again. */
  async #tryTransact<T>(request: TransactRequest<MemoryTx, T>): Promise<Transacted | undefined> {
    const { worker, runId, attempt, body, settle } = request;
    const tx = this.#begin();
    const { entry, ...rest } = copyOf(settle(await body(tx)));
    const scene = { now: this.#now(), worker };
    const outcomes = tx.tryDo((draft) =>
      holdsLease({ ...scene, draft })
        ? [advance({ ...scene, draft }, { kind: "advance", runId, attempt, entries: [entry], ...rest })]
        : [{ is: "fenced" }],
    );
    const outcome = outcomes?.[0];
    if (outcome?.is === "refused") throw new StoreError(`run ${runId}: ${outcome.reason}`);
    if (outcome?.is !== "done") return outcome && { is: "fenced" };
    await tx.commit();
    return { is: "done" };
  }

  #begin(): Transaction {
    return new Transaction(this.#data, (draft) => this.#publish(draft));
  }

  /** The time, which every operation needs: so it is here that a closed store says so. */
  #now(): number {
    if (!this.#open) throw new StoreError("this store is closed");
    return this.#options.clock.now();
  }

  #own(tx: MemoryTx): Transaction {
    if (tx instanceof Transaction && tx.belongsTo(this.#data)) return tx;
    throw new StoreError("`tx` is not a transaction of this store: get one from its `begin()`");
  }

  #atomically<T>(work: (draft: Draft) => T): T {
    const draft = new Draft(this.#data);
    const answer = work(draft);
    this.#publish(draft);
    return answer;
  }

  #publish(draft: Draft): void {
    const { runIds, pauses } = draft.publish();
    if (!this.#options.hints || (runIds.length === 0 && !pauses)) return;
    // Nobody knows which runs a workflow's pause is about.
    const hint: Hint = pauses ? {} : { runIds };
    this.#options.clock.macrotask(() => {
      for (const listener of this.#data.listeners) listener(hint);
    });
  }

  #forget(listener: (hint: Hint) => void): void {
    this.#listeners.delete(listener);
    this.#data.listeners.delete(listener);
  }
}
