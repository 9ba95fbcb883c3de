import type {
  Batch,
  ClaimRequest,
  ClaimResult,
  EventRecord,
  Figures,
  FiguresSpan,
  Finding,
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
  WorkerLoad,
  WorkflowRecord,
} from "@everstep/core";
import { Batches } from "./batches.ts";
import { Catalog } from "./catalog.ts";
import { changedBy } from "./changed-by.ts";
import { Claims } from "./claims.ts";
import { ignore } from "./connections.ts";
import type { Database } from "./database.ts";
import { Enlisted } from "./enlisted.ts";
import { examine } from "./examination.ts";
import { figuresOf, workersOf } from "./figures.ts";
import { Hints } from "./hints.ts";
import { Leases } from "./leases.ts";
import { parsePart, RunParts } from "./run-rows.ts";
import { RunLists } from "./run-lists.ts";
import { Session } from "./session.ts";
import { Transacting } from "./transacting.ts";
import type { PostgresTx } from "./tx.ts";

/**
 * The port over one schema of a Postgres database. What changes a run is one call of one function there, but for `transact`, whose
 * body is between two. `list`, `count` and the like are queries of their own.
 */
export class PostgresStore implements Store<PostgresTx> {
  readonly #database: Database;
  readonly #hints: Hints;
  /** Of no use where there are none. */
  readonly #session: Session;
  readonly #leases: Leases;
  readonly #batches: Batches;
  readonly #claims: Claims;
  readonly #enlisted: Enlisted;
  readonly #transacting: Transacting;
  readonly #lists: RunLists;
  readonly #catalog: Catalog;

  constructor(database: Database) {
    this.#database = database;
    this.#hints = new Hints(database);
    this.#session = this.#makeSession();
    this.#leases = new Leases(database, this.#session, this.#hints);
    this.#batches = new Batches(database, (worker) => this.#leases.announce(worker));
    this.#claims = new Claims(database, this.#hints);
    this.#enlisted = new Enlisted(database, this.#hints);
    this.#transacting = new Transacting(database);
    this.#lists = new RunLists(database);
    this.#catalog = new Catalog(database);
  }

  async commit(batch: Batch<PostgresTx>): Promise<readonly Outcome[]> {
    const { tx, writes, lease, onOutcomes } = batch;
    if (tx !== undefined) {
      const outcomes = await this.#enlisted.apply(tx, batch);
      onOutcomes?.(outcomes);
      return outcomes;
    }
    const applied = await this.#batches.apply(batch);
    const leaves = lease !== undefined && writes.some(({ kind }) => kind === "leave");
    if (leaves) this.#leases.forget(lease.worker);
    // Then nobody knows which runs are due now, or no more.
    if (leaves || writes.some(({ kind }) => kind === "pause-workflow")) this.#hints.tellAll({ others: true });
    this.#hints.tell(changedBy(writes, applied));
    onOutcomes?.(applied.outcomes);
    return applied.outcomes;
  }

  transact<T>(
    request: TransactRequest<PostgresTx, T>,
  ): Promise<{ readonly is: "done" } | { readonly is: "fenced" }> {
    return this.#transacting.apply(request);
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#claims.claim(request);
  }

  join(request: JoinRequest): Promise<Lease> {
    return this.#leases.join(request);
  }

  async renew(lease: Lease): Promise<Renewal> {
    const renewal = await this.#leases.renew(lease);
    if (renewal.reaped > 0) this.#hints.tellAll({ others: true });
    return renewal;
  }

  async read(runId: string): Promise<RunDetails | undefined> {
    // Text that Postgres can't hold is no run's id.
    if (!runId.isWellFormed() || runId.includes("\0")) return undefined;
    const parts = new RunParts();
    for (const text of await this.#database.ask("read", [runId])) parts.add(parsePart(text));
    const [run] = parts.runs;
    if (run === undefined) return undefined;
    const { now = 0, worker = null, capable = 0, workflowPaused = null } = run;
    return { ...parts.claimOf(run), now, owner: worker, capable, workflowPaused };
  }

  list(filter: RunFilter, page: PageRequest): Promise<Page> {
    return this.#lists.page(filter, page);
  }

  count(filter: RunFilter): Promise<number> {
    return this.#lists.count(filter);
  }

  workflows(): Promise<readonly WorkflowRecord[]> {
    return this.#catalog.workflows();
  }

  workers(): Promise<readonly WorkerLoad[]> {
    return workersOf(this.#database);
  }

  figures(span: FiguresSpan): Promise<Figures> {
    return figuresOf(this.#database, span);
  }

  examine(): Promise<readonly Finding[]> {
    return examine(this.#database);
  }

  events(filter: { readonly name?: string; readonly limit: number }): Promise<readonly EventRecord[]> {
    return this.#catalog.events(filter);
  }

  takeOutbox(request: { readonly limit: number; readonly forMs: number }): Promise<readonly OutboxRow[]> {
    return this.#catalog.takeOutbox(request);
  }

  watch(listener: (hint: Hint) => void, interest?: Interest): () => void {
    const wantedEnds = this.#hints.wantsEnds;
    const stop = this.#hints.add(listener, interest);
    const session = this.#session;
    if (!session.isOpen) this.#openQuietly(session);
    else if (!wantedEnds && this.#hints.wantsEnds)
      session.use((client) => this.#hints.listenToEnds(client)).catch(ignore);
    return stop;
  }

  async close(): Promise<void> {
    await this.#hints.close();
    await this.#session.close();
    await this.#database.close();
  }

  #makeSession(): Session {
    return new Session(this.#database.connections, {
      onOpen: async (client) => {
        await this.#leases.lockAll(client);
        await this.#hints.listen(client);
        this.#hints.isListening = true;
        // What was said while nobody listened was not heard (F49).
        this.#hints.tellAll({ others: false });
      },
      onLost: () => {
        this.#hints.isListening = false;
        this.#leases.unlocked();
      },
      onNotice: (channel, payload) => this.#hints.hear(channel, payload),
    });
  }

  #openQuietly(session: Session): void {
    this.#database
      .ready()
      .then(() => (this.#database.hasSessions ? session.open() : undefined))
      .catch(ignore);
  }
}
