/**
 * What the clients and workers of one process share about one store: the committer, so that their writes ride in the same
 * commits, and word of runs that ended here, so that nobody has to ask the database.
 */
import type { Clock } from "../clock.ts";
import type { Claim, RunRecord, Store } from "../store.ts";
import { Committer, type Writer } from "./committer.ts";
import { Results } from "./results.ts";

/** A worker of this process, as a starting client sees it. */
export interface LocalWorker {
  /** Keeps a slot for a run of this workflow, when there is one: the run can be born claimed. */
  reserve(workflow: string, version: string): Writer | undefined;
  /** The slot is not needed after all. */
  unreserve(): void;
  /** The run was born claimed, by a batch of this writer. */
  adopt(born: BornRun, writer: Writer): void;
  holds(runId: string): boolean;
  /** The store can't be used for now: what it was asked for waits. */
  storeIsOut(error: Error): void;
}

export interface BornRun {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: string;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly timeoutMs: number | null;
  readonly createdAt: number;
}

/** What a claim of a run would bring that was born claimed a moment ago. */
export function bornClaim(born: BornRun, worker: number): Claim {
  const run: RunRecord = {
    ...born,
    parent: null,
    event: null,
    raw: false,
    phase: "forward",
    end: null,
    owner: worker,
    attempt: 1,
    dueAt: null,
    stuck: null,
    paused: null,
    result: null,
    error: null,
    inbox: 0,
    strikes: 0,
    strikesAlone: 0,
    interrupted: false,
    waits: [],
    startedAt: born.createdAt,
    endedAt: null,
  };
  return { run, journal: [], messages: [], retries: [] };
}

export class Hub {
  readonly committer: Committer;
  readonly results: Results;
  readonly workers: Set<LocalWorker> = new Set();

  constructor(store: Store, clock: Clock) {
    this.committer = new Committer(store, clock, (error) => {
      for (const worker of this.workers) worker.storeIsOut(error);
    });
    this.results = new Results(store, clock, (runId) => this.#held(runId));
  }

  #held(runId: string): boolean {
    for (const worker of this.workers) if (worker.holds(runId)) return true;
    return false;
  }
}

const hubs = new WeakMap<Store, Hub>();

export function hubOf(store: Store, clock: Clock): Hub {
  let hub = hubs.get(store);
  if (hub === undefined) {
    hub = new Hub(store, clock);
    hubs.set(store, hub);
  }
  return hub;
}
