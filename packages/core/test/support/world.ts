/**
 * One database and the processes around it, in virtual time. A process has its own clock, store object, client and
 * workers, so nothing is shared by accident; killing it ends its timers, its macrotasks and its calls to the store.
 */
import {
  type AnyWorkflow,
  Client,
  type Codec,
  type Logger,
  type RunHandle,
  type StartOptions,
  type StepContext,
  Worker,
  type Workflow,
  type WorkerOptions,
} from "../../src/index.ts";
import {
  type CrashPlan,
  type CrashStore,
  crashStore,
  type MemoryStore,
  memoryStore,
  type MemoryTx,
  type ProcessClock,
  processClock,
  recordCalls,
  type RunDump,
  type VirtualClock,
  virtualClock,
} from "../../src/testing/index.ts";

/** Something that a body did to the outside world. */
export interface Effect {
  readonly name: string;
  readonly key: string;
  readonly attempt: number;
  readonly at: number;
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface WorldOptions {
  readonly hints?: boolean;
  readonly seed?: string;
}

export interface ProcessOptions {
  readonly plan?: CrashPlan;
  readonly codec?: Codec;
}

/** Virtual time after which a test gives up. */
const PATIENCE_MS = 600_000;

export class World {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly effects: Effect[] = [];
  readonly lines: LogLine[] = [];
  readonly logger: Logger;

  constructor({ hints = true, seed = "0" }: WorldOptions = {}) {
    this.clock = virtualClock({ seed });
    this.store = memoryStore({ clock: this.clock, hints });
    const level =
      (name: LogLine["level"]) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        this.lines.push({ level: name, message, fields });
      };
    this.logger = { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
  }

  process(options: ProcessOptions = {}): Process {
    return new Process(this, options);
  }

  /** A process with a started worker of these workflows. */
  async worker(
    workflows: readonly AnyWorkflow[],
    options: Partial<WorkerOptions> & ProcessOptions = {},
  ): Promise<Process> {
    const process = this.process(options);
    await process.startWorker(workflows, options);
    return process;
  }

  /** Called by a body: it did something that can't be taken back. */
  effect(step: StepContext, name: string): void {
    this.effects.push({ name, key: step.idempotencyKey, attempt: step.attempt, at: this.clock.now() });
  }

  get effectNames(): readonly string[] {
    return this.effects.map(({ name }) => name);
  }

  /** Lets time pass until the promise settles, timer by timer. */
  async settle<T>(promise: Promise<T>, patienceMs: number = PATIENCE_MS): Promise<T> {
    let settled = false;
    promise
      .catch(() => {})
      .finally(() => {
        settled = true;
      });
    await this.passUntil(() => settled, patienceMs);
    return promise;
  }

  /** Lets time pass until the condition holds. */
  async passUntil(condition: () => boolean, patienceMs: number = PATIENCE_MS): Promise<void> {
    const until = this.clock.monotonic() + patienceMs;
    await this.clock.advance(0);
    while (!condition()) {
      const { nextMs } = this.clock;
      if (nextMs === null || this.clock.monotonic() + nextMs > until) {
        const left = nextMs === null ? "no timer is left" : `${patienceMs} ms of virtual time passed`;
        throw new Error(`${left}, and ${String(condition)} does not hold; ${this.describe()}`);
      }
      await this.clock.advance(nextMs);
    }
  }

  pass(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  run(id: string): RunDump {
    const run = this.store.dump().runs.find((candidate) => candidate.id === id);
    if (run === undefined) throw new Error(`there is no run ${id}`);
    return run;
  }

  /** `["step charge", "timer nap", "end completed"]`. */
  journal(id: string): readonly string[] {
    return this.run(id).journal.map(({ kind, key }) => `${kind} ${key}`.trim());
  }

  describe(): string {
    const runs = this.store
      .dump()
      .runs.map(
        ({ id, phase, end, owner, dueAt, stuck, attempt, journal }) =>
          `${id}: ${end ?? phase}, owner ${owner}, attempt ${attempt}, due ${dueAt}, stuck ${stuck?.code ?? "no"} ${stuck?.message ?? ""} [${journal.map(({ kind, key }) => `${kind} ${key}`).join(", ")}]`,
      );
    return `runs: ${runs.join("; ")}`;
  }
}

export class Process {
  readonly world: World;
  readonly clock: ProcessClock;
  readonly store: CrashStore<MemoryTx>;
  readonly client: Client<MemoryTx>;
  readonly #codec: Codec | undefined;

  constructor(world: World, { plan, codec }: ProcessOptions) {
    this.world = world;
    this.#codec = codec;
    this.clock = processClock(world.clock);
    const own = world.store.reopen();
    this.store =
      plan === undefined
        ? recordCalls(own)
        : crashStore(own, {
            ...plan,
            onCrash: () => {
              this.clock.kill();
              plan.onCrash?.();
            },
          });
    this.client = new Client({
      store: this.store,
      clock: this.clock,
      ...(codec === undefined ? {} : { codec }),
    });
  }

  async startWorker(
    workflows: readonly AnyWorkflow[],
    options: Partial<WorkerOptions> = {},
  ): Promise<Worker<MemoryTx>> {
    const worker = this.newWorker(workflows, options);
    await this.world.settle(worker.start());
    return worker;
  }

  newWorker(workflows: readonly AnyWorkflow[], options: Partial<WorkerOptions> = {}): Worker<MemoryTx> {
    return new Worker<MemoryTx>({
      lease: "5s",
      logger: this.world.logger,
      ...(this.#codec === undefined ? {} : { codec: this.#codec }),
      ...options,
      store: this.store,
      clock: this.clock,
      workflows,
    });
  }

  /** Starts the run and waits until it is durable. */
  start<I, O>(
    definition: Workflow<I, O>,
    input: I,
    options: StartOptions<MemoryTx> = {},
  ): Promise<RunHandle<O>> {
    return this.world.settle(this.client.start(definition, input, options));
  }

  /** Starts the run and waits for its end. */
  async execute<I, O>(
    definition: Workflow<I, O>,
    input: I,
    options: StartOptions<MemoryTx> = {},
  ): Promise<O> {
    const run = await this.start(definition, input, options);
    return this.world.settle(run.result());
  }

  /** The process is gone, as by SIGKILL. */
  kill(): void {
    this.clock.kill();
    this.store.kill();
  }
}

/** A promise and the way to settle it: a named signal instead of a sleep. */
export interface Gate<T = void> {
  readonly promise: Promise<T>;
  open(value: T): void;
  fail(error: Error): void;
}

export function gate<T = void>(): Gate<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  promise.catch(() => {});
  return { promise, open: resolve, fail: reject };
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    const value = await promise;
    throw new TypeError(`it resolved, with ${JSON.stringify(value)}`);
  } catch (error) {
    if (error instanceof Error && !error.message.startsWith("it resolved, with")) return error;
    throw error;
  }
}

/** For `promise.catch(nameOf)`. */
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/** For `promise.catch(codeOf)`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "none";
}

/** A body that does nothing but wait until it is told to stop. */
export function untilAborted({ signal }: StepContext): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
