/** A store that watches what goes through it, and complains at once when an invariant is broken. */
import { strict as assert } from "node:assert";
import type {
  AdvanceWrite,
  Batch,
  Claim,
  ClaimRequest,
  ClaimResult,
  Entry,
  Outcome,
  Store,
  WaitNote,
} from "../../src/index.ts";
import type { MemoryStore, MemoryTx } from "../../src/testing/index.ts";

/** What is known of one run from the outside. */
export class RunAudit {
  attempt = 0;
  readonly journal: Entry[] = [];
  end: string | null = null;
  stuck: string | null = null;
  waits: readonly WaitNote[] = [];

  /** Keys of the steps and undos whose settlement is durable. */
  readonly settled: Set<string> = new Set();

  claimed({ run, journal }: Claim): void {
    assert.ok(run.attempt > this.attempt, `I9: attempt ${run.attempt} after ${this.attempt}`);
    assert.equal(this.end, null, `I10: a run that is ${this.end} was claimed`);
    assert.deepEqual(journal, this.journal, "I11: a claim's journal is what was written so far");
    this.attempt = run.attempt;
    this.stuck = null;
    this.waits = [];
  }

  advanced({ attempt, entries, then }: AdvanceWrite, outcome: Outcome): void {
    if (outcome.is !== "done" && outcome.is !== "inbox-changed") return;
    assert.equal(attempt, this.attempt, "I9: a fenced attempt wrote");
    for (const entry of entries) this.#append({ ...entry, attempt });
    if (then === undefined || outcome.is !== "done") return;
    if (then.do === "end") this.end = then.status;
    if (then.do === "stick") this.stuck = then.stuck.message;
    if (then.do === "park") this.waits = then.waits;
  }

  #append(entry: Entry): void {
    assert.equal(this.end, null, `I10: entry ${entry.seq} came after the end`);
    assert.equal(entry.seq, this.journal.length + 1, "I11: entries are gapless");
    assert.ok(entry.at >= (this.journal.at(-1)?.at ?? 0), "`at` never decreases");
    if (entry.kind === "step" || entry.kind === "undo") {
      const key = `${entry.kind} ${entry.key}`;
      assert.ok(!this.settled.has(key), `I3: ${key} settled twice`);
      this.settled.add(key);
    }
    // A store gives back no field that says nothing.
    const { value, error, ...said } = entry;
    this.journal.push({
      ...said,
      ...(value === undefined ? {} : { value }),
      ...(error === undefined ? {} : { error }),
    });
  }
}

export class AuditStore implements Store<MemoryTx> {
  readonly #store: MemoryStore;
  readonly #run: RunAudit;
  /** Of each worker: a batch that is sent again changes nothing. */
  readonly #lastBatch = new Map<number, number>();

  /** Watches a store that holds one run. */
  constructor(store: MemoryStore, run: RunAudit) {
    this.#store = store;
    this.#run = run;
  }

  async commit(batch: Batch<MemoryTx>): Promise<readonly Outcome[]> {
    const outcomes = await this.#store.commit(batch);
    const { lease } = batch;
    if (lease !== undefined) {
      if ((this.#lastBatch.get(lease.worker) ?? 0) >= lease.batch) return outcomes;
      this.#lastBatch.set(lease.worker, lease.batch);
    }
    for (const [index, write] of batch.writes.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) continue;
      if (write.kind === "start" && outcome.is === "created" && outcome.claimed) this.#run.attempt = 1;
      if (write.kind === "advance") this.#run.advanced(write, outcome);
    }
    return outcomes;
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const result = await this.#store.claim(request);
    for (const claim of result.claims) this.#run.claimed(claim);
    return result;
  }

  readonly transact: Store<MemoryTx>["transact"] = (request) => this.#store.transact(request);
  readonly join: Store["join"] = (request) => this.#store.join(request);
  readonly renew: Store["renew"] = (lease) => this.#store.renew(lease);
  readonly read: Store["read"] = (id) => this.#store.read(id);
  readonly list: Store["list"] = (filter, page) => this.#store.list(filter, page);
  readonly count: Store["count"] = (filter) => this.#store.count(filter);
  readonly watch: Store["watch"] = (listener) => this.#store.watch(listener);
  readonly close: Store["close"] = () => this.#store.close();
}
