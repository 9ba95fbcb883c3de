/** What a case of the conformance suite works with: an empty store, workers on it, and time. */
import assert from "node:assert/strict";
import { systemClock } from "../../clock.ts";
import { statusOf } from "../../engine/status.ts";
import type {
  ClaimRequest,
  ClaimResult,
  JoinRequest,
  Lease,
  Outcome,
  Renewal,
  RunDetails,
  RunStatus,
  Store,
  Write,
} from "../../store.ts";
import { ORDER, type OwnedRun, start } from "./writes.ts";

/** An empty store and what the suite may do to it. What is left out is not tested, and the suite says so. */
export interface OpenStore {
  readonly store: Store;
  /** Another store on the same data, as another process would have. The suite closes it. */
  readonly second?: () => Store | Promise<Store>;
  /** Moves the store's time. Without it the suite waits for real leases of 200 ms. */
  readonly clock?: { advance(ms: number): Promise<void> };
  /** Opens a transaction of the caller's own, as a program does that gives `tx`. */
  readonly beginTx?: () => OpenTx | Promise<OpenTx>;
  /** Bodies of `transact` must not return promises. */
  readonly syncBodies?: true;
  /** Removes all that `open` made. */
  close(): Promise<void>;
}

export interface OpenTx {
  readonly tx: unknown;
  commit(): unknown;
  rollback(): unknown;
}

/** The cases of a topic by name. */
export type Cases = Readonly<Record<string, (bench: Bench) => Promise<void>>>;

/** Thrown by a case that needs what the store does not offer. */
export class Skip extends Error {}

/** Leases of workers that are to die, and of all others. */
const SHORT_LEASE_MS = 200;
const LONG_LEASE_MS = 60_000;

export interface BenchOptions {
  readonly hints: boolean;
  readonly seed: string;
  /** How long something that must happen may take. */
  readonly patienceMs: number;
}

export class Bench {
  readonly store: Store;
  /** Of what is drawn by chance. */
  readonly seed: string;
  readonly #opened: OpenStore;
  readonly #options: BenchOptions;
  readonly #others: Store[] = [];

  constructor(opened: OpenStore, options: BenchOptions) {
    this.store = opened.store;
    this.seed = options.seed;
    this.#opened = opened;
    this.#options = options;
  }

  async close(): Promise<void> {
    await Promise.all(this.#others.map((store) => store.close()));
    await this.#opened.close();
  }

  /** Writes without a lease, as a client does. */
  commit(...writes: Write[]): Promise<readonly Outcome[]> {
    return this.store.commit({ writes });
  }

  async join(request: Partial<JoinRequest> = {}, store: Store = this.store): Promise<Hand> {
    const full = { workflows: [ORDER], leaseMs: LONG_LEASE_MS, host: "bench", pid: 7, ...request };
    return new Hand(store, await store.join(full));
  }

  /** A worker whose lease is short, so that it can be outlived. */
  joinMortal(request: Partial<JoinRequest> = {}): Promise<Hand> {
    return this.join({ leaseMs: SHORT_LEASE_MS, ...request });
  }

  /** Lets the leases of mortal workers run out, and waits for what must follow though nobody takes over. */
  async expire(what: string, isTrue: () => Promise<boolean>): Promise<void> {
    await this.#opened.clock?.advance(SHORT_LEASE_MS + 1);
    await this.eventually(what, isTrue);
  }

  /** Lets the lease of one mortal worker run out; answers the one that took over its runs. */
  async outlive(...victims: readonly Hand[]): Promise<Hand> {
    const heir = await this.join();
    await this.#opened.clock?.advance(SHORT_LEASE_MS + 1);
    let reaped = 0;
    await this.eventually(`${victims.length} expired workers are taken over`, async () => {
      reaped += (await heir.renew()).reaped;
      return reaped >= victims.length;
    });
    assert.equal(reaped, victims.length, "workers taken over");
    return heir;
  }

  async second(): Promise<Store> {
    if (this.#opened.second === undefined) throw new Skip("it was opened without `second`");
    const store = await this.#opened.second();
    this.#others.push(store);
    return store;
  }

  async beginTx(): Promise<OpenTx> {
    if (this.#opened.beginTx === undefined) throw new Skip("it was opened without `beginTx`");
    return await this.#opened.beginTx();
  }

  /** A body of `transact` that writes with the transaction it is given. */
  writing(...writes: readonly Write[]): (tx: unknown) => unknown {
    return (tx) => {
      const written = this.store.commit({ writes, tx });
      if (this.#opened.syncBodies !== true) return written;
      // A driver that is synchronous has done it by now; the answer is of no interest.
      written.catch(() => {});
      return "written";
    };
  }

  get hasHints(): boolean {
    return this.#options.hints;
  }

  /** Lets time pass in the store: at once where it can be moved. */
  async pass(ms: number): Promise<void> {
    await (this.#opened.clock?.advance(ms) ?? pause(ms));
  }

  /** Lets so much time pass that nobody can wait for it. */
  async travel(ms: number): Promise<void> {
    if (this.#opened.clock === undefined) throw new Skip("it was opened without `clock`");
    await this.#opened.clock.advance(ms);
  }

  /** Polls until it is true. Fails when patience is over, saying what did not happen. */
  async eventually(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const { patienceMs } = this.#options;
    const until = systemClock.monotonic() + patienceMs;
    while (!(await isTrue())) {
      assert.ok(systemClock.monotonic() < until, `not within ${patienceMs} ms: ${what}`);
      await pause(5);
    }
  }

  async read(runId: string, store: Store = this.store): Promise<RunDetails> {
    const details = await store.read(runId);
    assert.ok(details, `run ${runId} is in the store`);
    return details;
  }

  async statusOf(runId: string): Promise<RunStatus> {
    const { run, now } = await this.read(runId);
    return statusOf(run, now);
  }
}

/** A worker's lease in the hand of a case, with the numbers of its batches. */
export class Hand {
  readonly id: number;
  readonly #store: Store;
  #lease: Lease;
  #batch = 0;
  #last: readonly Write[] = [];

  constructor(store: Store, lease: Lease) {
    this.#store = store;
    this.#lease = lease;
    this.id = lease.worker;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** Sends the next batch. */
  commit(...writes: Write[]): Promise<readonly Outcome[]> {
    this.#batch++;
    this.#last = writes;
    return this.send(this.#batch, writes);
  }

  /** Sends the last batch again, as after an answer that got lost. */
  resend(store: Store = this.#store): Promise<readonly Outcome[]> {
    return this.send(this.#batch, this.#last, store);
  }

  /** Sends a batch under a number of its own. */
  send(batch: number, writes: readonly Write[], store: Store = this.#store): Promise<readonly Outcome[]> {
    return store.commit({ writes, lease: { worker: this.id, batch } });
  }

  /** The number of the last batch that was sent by `commit`. */
  get batch(): number {
    return this.#batch;
  }

  /** Starts runs that are born owned by this worker. */
  async bear(...ids: readonly string[]): Promise<OwnedRun> {
    const outcomes = await this.commit(...ids.map((id) => start(id, { claim: true })));
    for (const outcome of outcomes) assert.ok(outcome.is === "created" && outcome.claimed, "born claimed");
    return { runId: ids[0] ?? "", attempt: 1 };
  }

  claim(request: Partial<ClaimRequest> = {}): Promise<ClaimResult> {
    const full = { workflows: [ORDER], limit: 100, except: [], inboxes: [], worker: this.id, ...request };
    return this.#store.claim(full);
  }

  /** Claims, and answers the ids in the order in which they were given out. */
  async claimIds(request: Partial<ClaimRequest> = {}): Promise<string[]> {
    return (await this.claim(request)).claims.map(({ run }) => run.id);
  }

  /** Claims everything that is due, among it this run. */
  async own(runId: string): Promise<OwnedRun> {
    const { claims } = await this.claim();
    const claim = claims.find(({ run }) => run.id === runId);
    assert.ok(claim, `run ${runId} is due and was claimed`);
    return { runId, attempt: claim.run.attempt };
  }

  async renew(): Promise<Renewal> {
    const renewal = await this.#store.renew(this.#lease);
    this.#lease = { worker: this.id, now: renewal.now, expiresAt: renewal.expiresAt };
    return renewal;
  }
}

/** What happened to each write of a batch, without the details. */
export function kinds(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ is }) => is);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(ms, resolve);
  });
}
