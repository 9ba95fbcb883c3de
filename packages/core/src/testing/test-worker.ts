/** A worker for tests: skips time, mocks and fails steps, dies and comes back, and says what was journaled. */
import { systemClock, type Clock } from "../clock.ts";
import type { Duration, Logger } from "../context.ts";
import { durationMs } from "../engine/duration.ts";
import type { Codec } from "../engine/values.ts";
import { InvalidArgumentError, ResultTimeoutError } from "../errors.ts";
import { Client, type StartOptions } from "../runtime/client.ts";
import type { RunHandle } from "../runtime/run-handle.ts";
import type { JournalEntry } from "../runtime/run-report.ts";
import type { Store } from "../store.ts";
import type { AnyWorkflow, Workflow } from "../definition.ts";
import { aroundBodies } from "./around-bodies.ts";
import { memoryStore } from "./memory-store.ts";
import type { MemoryTx } from "./memory/transaction.ts";
import { pausableClock } from "./pausable-clock.ts";
import { RealTime } from "./real-time.ts";
import {
  type BodyCalled,
  type BodyKind,
  type FailOptions,
  type MockBody,
  silent,
  TestBodies,
} from "./test-bodies.ts";
import { type ProcessSetup, TestProcess } from "./test-process.ts";
import type { Stage, TestTime } from "./test-time.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";
import { VirtualTime } from "./virtual-time.ts";

export interface TestWorkerOptions<Tx = MemoryTx> {
  readonly workflows: readonly AnyWorkflow[];
  /**
   * Default: a `memoryStore` of its own, in virtual time. With another one, time is the store's: it is real, and can't be
   * skipped. Yours to close.
   */
  readonly store?: Store<Tx>;
  /** With a `store` that goes by this clock, such as a `memoryStore({ clock })` of yours: then time is virtual as well. */
  readonly clock?: VirtualClock;
  /** Draws the jitter of retries in virtual time; default `"0"`. */
  readonly seed?: string;
  readonly codec?: Codec;
  /** Runs in memory at a time; default 100. */
  readonly concurrency?: number;
  /** Default: none, so that errors that a test provokes are not printed. */
  readonly logger?: Logger;
  /** How long a body may take, in real time, before `idle` rejects and `skip` lets virtual time pass over it; default 2 s. */
  readonly patience?: Duration;
}

/** A run, or its id. */
type Run<O> = RunHandle<O> | string;

export interface TestWorker<Tx = MemoryTx> extends AsyncDisposable {
  /** For all that is not here: listing, `why`, `resume`. It outlives `crash()`. */
  readonly client: Client<Tx>;
  readonly store: Store<Tx>;
  /** The clock of client and worker: `clock.now()` is the time of the test. */
  readonly clock: Clock;
  /** The calls of bodies so far, in order, those of mocks and of planned failures included. */
  readonly calls: readonly BodyCalled[];
  /**
   * Calls `body` in place of the body of this step: by its name (`pack`), or by its key (`pack[book]`, `pack#2`), which goes before.
   * `of`: in place of its compensation, or of its `inDoubt` function. What it returns or throws is what the body would have.
   */
  mock(name: string, body: MockBody, options?: { readonly of?: BodyKind }): void;
  /** The real body again, and no planned failure. */
  unmock(name: string, options?: { readonly of?: BodyKind }): void;
  /** The next attempts of this step throw; later ones call the body, or its mock, again. Names are those of `mock`. */
  fail(name: string, options?: FailOptions): void;
  /** As `Client.start`: durable when it resolves. The handle's `result()` lets time pass, as `result` here does. */
  start<I, O>(workflow: Workflow<I, O>, input: I, options?: StartOptions<Tx>): Promise<RunHandle<O>>;
  /** As `RunHandle.signal`: durable when it resolves; `idle` lets the run go on with it. */
  signal(
    run: Run<unknown>,
    name: string,
    payload?: unknown,
    options?: { readonly id?: string },
  ): Promise<void>;
  /**
   * Resolves when nothing can go on without time passing, a signal or a person. Rejects when a body has not ended within `patience`. On
   * a store in real time, a wait of less than a second (a retry: of five) is waited for.
   */
  idle(): Promise<void>;
  /**
   * Lets virtual time pass, `"3d"` or milliseconds: what becomes due happens at its own instant, and all is idle at the end. Throws
   * `InvalidArgumentError` on a store in real time.
   */
  skip(duration: Duration): Promise<void>;
  /**
   * The result of a run, for which time passes as needed. Rejects as `RunHandle.result` does, and with an `Error` that says
   * why when only a signal or a person can move the run.
   */
  result<O>(run: Run<O>): Promise<O>;
  /** What is journaled, decoded. */
  journal(run: Run<unknown>): Promise<readonly JournalEntry[]>;
  /** The journal in short, for `toEqual`: `["step charge", "timer nap", "end completed"]`; a step that failed is `"step charge failed"`. */
  outline(run: Run<unknown>): Promise<readonly string[]>;
  /**
   * The worker's process dies as by SIGKILL, and another one takes its place once the lease is over: 5 s later in virtual time, within
   * 4 s in real time. In a mock, it dies in the middle of that body.
   */
  crash(): Promise<void>;
  /** Aborts the bodies that execute and lets go of all runs. */
  stop(): Promise<void>;
}

const VIRTUAL_LEASE_MS = 5000;
const REAL_LEASE_MS = 3000;

/** Starts a worker for tests; `await using`, or `stop` it. */
export function testWorker(options: TestWorkerOptions & { readonly store?: undefined }): Promise<TestWorker>;
export function testWorker<Tx>(
  options: TestWorkerOptions<Tx> & { readonly store: Store<Tx> },
): Promise<TestWorker<Tx>>;
export async function testWorker<Tx>(options: TestWorkerOptions<Tx>): Promise<TestWorker<Tx>> {
  const worker = new Tested<Tx>(options);
  await worker.begin();
  return worker;
}

class Tested<Tx> implements TestWorker<Tx> {
  readonly client: Client<Tx>;
  readonly store: Store<Tx>;
  readonly clock: Clock;
  readonly #bodies = new TestBodies();
  readonly #time: TestTime;
  readonly #setup: ProcessSetup<Tx>;
  #process: TestProcess<Tx>;
  /** What lets time pass goes one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: TestWorkerOptions<Tx>) {
    const { codec, concurrency, logger = silent, seed = "0", patience = "2s" } = options;
    const clock = options.clock ?? (options.store === undefined ? virtualClock({ seed }) : undefined);
    this.store = options.store ?? (memoryStore(clock === undefined ? {} : { clock }) as unknown as Store<Tx>);
    this.clock = clock ?? systemClock;
    const processes = clock === undefined ? undefined : pausableClock(clock);
    const shared = { store: this.store, clock: processes ?? systemClock, ...(codec && { codec }) };
    this.client = new Client<Tx>(shared);
    this.#setup = {
      ...shared,
      ...(concurrency === undefined ? {} : { concurrency }),
      logger,
      leaseMs: clock === undefined ? REAL_LEASE_MS : VIRTUAL_LEASE_MS,
      workflows: options.workflows.map((one) =>
        aroundBodies(one as unknown as Workflow, this.#bodies.around),
      ),
    };
    const stage: Stage = {
      store: this.store,
      workflows: this.#setup.workflows,
      bodies: this.#bodies,
      patienceMs: durationMs(patience, "patience"),
      leaseMs: this.#setup.leaseMs,
      revive: () => this.#revive(),
      why: (runId) => this.client.runs.why(runId),
    };
    this.#time =
      clock === undefined || processes === undefined
        ? new RealTime(stage)
        : new VirtualTime(stage, { clock, processes });
    this.#process = new TestProcess<Tx>(this.#setup);
  }

  begin(): Promise<void> {
    return this.#time.settle(this.#process.worker.start());
  }

  get calls(): readonly BodyCalled[] {
    return this.#bodies.calls;
  }

  mock(name: string, body: MockBody, { of }: { readonly of?: BodyKind } = {}): void {
    this.#bodies.mock(name, body, of);
  }

  unmock(name: string, { of }: { readonly of?: BodyKind } = {}): void {
    this.#bodies.unmock(name, of);
  }

  fail(name: string, options: FailOptions = {}): void {
    this.#bodies.fail(name, options);
  }

  async start<I, O>(
    workflow: Workflow<I, O>,
    input: I,
    options: StartOptions<Tx> = {},
  ): Promise<RunHandle<O>> {
    const { name, version } = workflow;
    if (!this.#setup.workflows.some((one) => one.name === name && one.version === version))
      throw new InvalidArgumentError(
        `workflow ${name} version ${version} is not among the \`workflows\` of this test worker: nobody would execute the run`,
      );
    return this.#handle(await this.client.start(workflow, input, options));
  }

  signal(
    run: Run<unknown>,
    name: string,
    payload?: unknown,
    options: { readonly id?: string } = {},
  ): Promise<void> {
    return this.client.get(idOf(run)).signal(name, payload, options);
  }

  idle(): Promise<void> {
    return this.#inTurn(() => this.#time.idle());
  }

  async skip(duration: Duration): Promise<void> {
    const ms = durationMs(duration, "the time to skip");
    await this.#inTurn(() => this.#time.skip(ms));
  }

  result<O>(run: Run<O>): Promise<O> {
    return this.#result<O>(idOf(run), {});
  }

  async journal(run: Run<unknown>): Promise<readonly JournalEntry[]> {
    const { journal } = await this.client.runs.read(idOf(run));
    return journal;
  }

  async outline(run: Run<unknown>): Promise<readonly string[]> {
    const journal = await this.journal(run);
    return journal.map(({ kind, key, error }) =>
      `${kind} ${kind === "resume" ? "" : key}${error === undefined ? "" : " failed"}`.trim(),
    );
  }

  async crash(): Promise<void> {
    this.#process.kill();
    this.#bodies.forget();
    await this.#inTurn(() => this.#revive());
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    const stopping = this.#inTurn(async () => {
      if (!this.#process.dead) await this.#time.settle(this.#process.worker.stop({ grace: 0 }));
      this.#bodies.forget();
    });
    this.#stopped = true;
    await stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #revive(): Promise<boolean> {
    if (!this.#process.dead) return false;
    await this.#time.afterDeath();
    this.#process = new TestProcess<Tx>(this.#setup);
    await this.begin();
    return true;
  }

  #result<O>(id: string, options: ResultOptions): Promise<O> {
    return this.#inTurn(async () => {
      const { timeout, signal } = options;
      signal?.throwIfAborted();
      const withinMs =
        timeout === undefined ? Number.POSITIVE_INFINITY : durationMs(timeout, "timeout of result()");
      const how = await this.#time.untilEnded(id, withinMs);
      if (how === "late") throw new ResultTimeoutError(id, withinMs);
      return this.#time.settle(this.client.get<O>(id).result());
    });
  }

  /** Its own `result` would wait for time that nobody lets pass. */
  #handle<O>(handle: RunHandle<O>): RunHandle<O> {
    const result = (options: ResultOptions = {}): Promise<O> => this.#result<O>(handle.id, options);
    return new Proxy(handle, {
      get(target, property) {
        if (property === "result") return result;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#stopped) return Promise.reject(new Error("this test worker was stopped: make a new one"));
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

type ResultOptions = NonNullable<Parameters<RunHandle["result"]>[0]>;

function idOf(run: Run<unknown>): string {
  return typeof run === "string" ? run : run.id;
}
