import type {
  Batch,
  ClaimRequest,
  ClaimResult,
  Hint,
  Interest,
  JoinRequest,
  Lease,
  Outcome,
  Page,
  PageRequest,
  Renewal,
  RunDetails,
  RunFilter,
  Store,
  TransactRequest,
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

/** A store whose process dies at the call for which a trap is set, and which tells first of all of each run that it was given. */
export class MortalStore<Tx> implements Store<Tx> {
  readonly #store: Store<Tx>;
  readonly #own: (runs: readonly Ownership[]) => Promise<void>;
  #trap: Trap | undefined;

  constructor(store: Store<Tx>, own: (runs: readonly Ownership[]) => Promise<void>) {
    this.#store = store;
    this.#own = own;
  }

  /** Replaces the one that was there. */
  set(trap: Trap | undefined): void {
    this.#trap = trap;
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
    const result = await this.#store.claim(request);
    if (result.claims.length === 0) return result;
    this.#pass("after", "claim");
    await this.#own(
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
    const outcomes = await committing;
    this.#pass("after", ...points);
    const born = writes.flatMap((write, index) => {
      const outcome = outcomes[index];
      if (write.kind !== "start" || outcome?.is !== "created" || !outcome.claimed) return [];
      return [{ run: write.run.id, attempt: 1, worker: lease?.worker ?? 0, entries: 0 }];
    });
    if (born.length > 0) await this.#own(born);
    return outcomes;
  }

  async #around<T>(point: Point, call: () => Promise<T>): Promise<T> {
    this.#pass("before", point);
    const answer = await call();
    this.#pass("after", point);
    return answer;
  }

  #pass(when: Trap["when"], ...points: readonly Point[]): void {
    const trap = this.#trap;
    if (trap?.when === when && points.includes(trap.point)) process.kill(process.pid, "SIGKILL");
  }
}
