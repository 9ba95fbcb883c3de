import type {
  Batch,
  ClaimRequest,
  ClaimResult,
  EventRecord,
  Hint,
  Interest,
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
  WorkflowRecord,
} from "@everstep/core";
import { type Point, pointsOf, type Trap } from "./crash-points.ts";

/** A run that this process has become the owner of, before anything else in it hears of that. */
export interface Ownership {
  readonly run: string;
  readonly attempt: number;
  readonly worker: number;
  /** Entries of its journal that are there already. */
  readonly entries: number;
}

export interface MortalOptions {
  /** Told first of all of each run that this process was given. */
  readonly own: (runs: readonly Ownership[]) => Promise<void>;
  /** Ends this process. */
  readonly fall: (trap: Trap) => void;
  /** A call was refused, or nobody knows how it came out. */
  readonly failed: (error: unknown) => void;
}

/** A store whose process dies at the call for which a trap is set. */
export class MortalStore<Tx> implements Store<Tx> {
  readonly #store: Store<Tx>;
  readonly #options: MortalOptions;
  #traps: readonly Trap[] = [];

  constructor(store: Store<Tx>, options: MortalOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Instead of those that were there. */
  set(traps: readonly Trap[]): void {
    this.#traps = traps;
  }

  // The store is called at once: with a synchronous driver and a transaction of the caller all is over when this returns.
  commit(batch: Batch<Tx>): Promise<readonly Outcome[]> {
    const points = pointsOf(batch.writes);
    this.#pass("before", ...points);
    return this.#committed(batch, points, this.#store.commit(batch));
  }

  async transact<T>(
    request: TransactRequest<Tx, T>,
  ): Promise<{ readonly is: "done" } | { readonly is: "fenced" }> {
    this.#pass("before", "transact");
    const answer = await this.#store.transact<T>({
      ...request,
      settle: (value) => {
        this.#pass("after", "the SQL of transact");
        return request.settle(value);
      },
    });
    this.#pass("after", "transact");
    return answer;
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    this.#pass("before", "claim");
    const result = await this.#heard(this.#store.claim(request));
    if (result.claims.length === 0) return result;
    this.#pass("after", "claim");
    await this.#options.own(
      result.claims.map(({ run, journal }) => ({
        run: run.id,
        attempt: run.attempt,
        worker: request.worker,
        entries: journal.length,
      })),
    );
    return result;
  }

  async join(request: JoinRequest): Promise<Lease> {
    return this.#around("join", () => this.#store.join(request));
  }

  async renew(lease: Lease): Promise<Renewal> {
    return this.#around("renew", () => this.#store.renew(lease));
  }

  read(runId: string): Promise<RunDetails | undefined> {
    return this.#store.read(runId);
  }

  list(filter: RunFilter, page: PageRequest): Promise<Page> {
    return this.#store.list(filter, page);
  }

  count(filter: RunFilter): Promise<number> {
    return this.#store.count(filter);
  }

  workflows(): Promise<readonly WorkflowRecord[]> {
    return this.#store.workflows();
  }

  workers(): ReturnType<Store<Tx>["workers"]> {
    return this.#store.workers();
  }

  figures(...span: Parameters<Store<Tx>["figures"]>): ReturnType<Store<Tx>["figures"]> {
    return this.#store.figures(...span);
  }

  examine(): ReturnType<Store<Tx>["examine"]> {
    return this.#store.examine();
  }

  events(filter: { readonly name?: string; readonly limit: number }): Promise<readonly EventRecord[]> {
    return this.#store.events(filter);
  }

  takeOutbox(request: { readonly limit: number; readonly forMs: number }): Promise<readonly OutboxRow[]> {
    return this.#store.takeOutbox(request);
  }

  watch(listener: (hint: Hint) => void, interest?: Interest): () => void {
    return this.#store.watch(listener, interest);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #committed(
    { writes, lease }: Batch<Tx>,
    points: readonly Point[],
    committing: Promise<readonly Outcome[]>,
  ): Promise<readonly Outcome[]> {
    const outcomes = await this.#heard(committing);
    this.#pass("after", ...points);
    const born = writes.flatMap((write, index) => {
      const outcome = outcomes[index];
      if (write.kind !== "start" || outcome?.is !== "created" || !outcome.claimed) return [];
      return [{ run: write.run.id, attempt: 1, worker: lease?.worker ?? 0, entries: 0 }];
    });
    if (born.length > 0) await this.#options.own(born);
    return outcomes;
  }

  async #around<T>(point: Point, call: () => Promise<T>): Promise<T> {
    this.#pass("before", point);
    const answer = await this.#heard(call());
    this.#pass("after", point);
    return answer;
  }

  async #heard<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      this.#options.failed(error);
      throw error;
    }
  }

  #pass(when: Trap["when"], ...points: readonly Point[]): void {
    const trap = this.#traps.find((set) => set.when === when && points.includes(set.point));
    if (trap !== undefined) this.#options.fall(trap);
  }
}
