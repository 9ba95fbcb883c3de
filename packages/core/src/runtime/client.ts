/** Starts runs and reaches them: needs the store only, not the workflow's code. */
import { type Clock, systemClock } from "../clock.ts";
import type { Duration } from "../context.ts";
import { InvalidArgumentError, RunConflictError, StoreError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import { checkName, checkRunId } from "../engine/names.ts";
import { type Codec, valuesOf } from "../engine/values.ts";
import type { Outcome, StartWrite, Store, Write } from "../store.ts";
import type { Workflow } from "../workflow.ts";
import type { Writer } from "./committer.ts";
import { type Hub, hubOf, type LocalWorker } from "./hub.ts";
import { inputHash, newRunId } from "./ids.ts";
import { checkSize, PAYLOAD_MAX_BYTES } from "./limits.ts";
import { RunHandle } from "./run-handle.ts";
import { Runs } from "./runs.ts";
import { validate } from "./validate.ts";

export interface ClientOptions<Tx = unknown> {
  readonly store: Store<Tx>;
  /** Inputs and signals larger than this are refused; default 1 MiB. */
  readonly maxPayloadBytes?: number;
  readonly codec?: Codec;
  readonly clock?: Clock;
}

export interface StartOptions<Tx = unknown> {
  /** Your own id, such as that of an order: the same id is the same run. A random one by default. */
  readonly id?: string;
  /** Not to be executed before this long from now. */
  readonly delay?: Duration;
  readonly at?: Date;
  /** Higher is claimed first; default: the workflow's. */
  readonly priority?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /**
   * Start the run inside this open transaction of yours: it exists if and only if you commit. Then bad input, a conflict and an
   * unusable connection are thrown at once where the driver is synchronous, so that your transaction rolls back.
   */
  readonly tx?: Tx;
}

/** What handles and `client.runs` need of their client. */
export interface ClientCore {
  readonly store: Store;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly codec: Codec | undefined;
  readonly maxPayloadBytes: number;
  /** Durable when it settles. */
  write(write: Write): Promise<Outcome>;
  /** The outcome when it is known already, which it is with a synchronous driver. */
  writeIn(tx: unknown, write: Write): { readonly now: Outcome | undefined; readonly later: Promise<Outcome> };
}

export class Client<Tx = unknown> implements AsyncDisposable {
  /** Looking at runs, and mending them. */
  readonly runs: Runs;
  readonly #core: ClientCore;

  constructor(options: ClientOptions<Tx>) {
    const { store, clock = systemClock } = options as unknown as ClientOptions;
    const hub = hubOf(store, clock);
    this.#core = {
      store,
      hub,
      clock,
      codec: options.codec,
      maxPayloadBytes: options.maxPayloadBytes ?? PAYLOAD_MAX_BYTES,
      write: (write) => this.#write(write),
      writeIn: (tx, write) => writeIn(store, tx, write),
    };
    this.runs = new Runs(this.#core);
  }

  /**
   * Starts a run, durably when it resolves. Starting the same id again with an equal input gives the same run; with another
   * input or workflow it is a `RunConflictError`. Throws `ValidationError` for an input that does not fit the schema.
   * After `StoreUnavailableError` nobody knows whether it was started: start it again with the same id.
   */
  start<I, O>(workflow: Workflow<I, O>, input: I, options: StartOptions<Tx> = {}): Promise<RunHandle<O>> {
    const { tx } = options;
    const prepare = (valid: unknown): StartWrite =>
      this.#startWrite(workflow as unknown as Workflow, valid, options);
    if (tx !== undefined) return this.#startIn(tx, workflow, input, prepare);
    return this.#start<O>(workflow as unknown as Workflow, input, prepare);
  }

  /** A handle of a run, whether or not it exists. */
  get<O = unknown>(id: string): RunHandle<O> {
    checkRunId(id);
    return new RunHandle<O>(this.#core, id);
  }

  /** Nothing of a client needs to be closed but its store, which is yours. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #start<O>(
    workflow: Workflow,
    input: unknown,
    prepare: (valid: unknown) => StartWrite,
  ): Promise<RunHandle<O>> {
    const write = prepare(
      await validate(workflow.options.input, input, `the input of workflow ${workflow.name}`),
    );
    const { run } = write;
    const worker = run.due === undefined ? this.#localWorker(run.workflow, run.version) : undefined;
    if (worker === undefined) return this.#started(run.id, await this.#write(write));
    let adopted = false;
    try {
      const outcome = await this.#write({ ...write, claim: true }, worker.writer);
      if (outcome.is === "created" && outcome.claimed) {
        adopted = true;
        worker.local.adopt({ ...run, createdAt: outcome.createdAt }, worker.writer);
      }
      return this.#started(run.id, outcome);
    } finally {
      if (!adopted) worker.local.unreserve();
    }
  }

  #startIn<I, O>(
    tx: Tx,
    workflow: Workflow<I, O>,
    input: I,
    prepare: (valid: unknown) => StartWrite,
  ): Promise<RunHandle<O>> {
    const valid = validate(workflow.options.input, input, `the input of workflow ${workflow.name}`);
    if (valid instanceof Promise)
      throw new InvalidArgumentError(
        `workflow ${workflow.name}: an input schema that validates asynchronously can't be used with \`tx\`; validate before the transaction`,
      );
    const write = prepare(valid);
    const { now, later } = this.#core.writeIn(tx, write);
    if (now !== undefined) return Promise.resolve(this.#started<O>(write.run.id, now));
    return later.then((outcome) => this.#started<O>(write.run.id, outcome));
  }

  #startWrite(workflow: Workflow, input: unknown, options: StartOptions<Tx>): StartWrite {
    const { clock, codec, maxPayloadBytes } = this.#core;
    const id = options.id ?? newRunId(clock.now());
    checkRunId(id);
    const tags = options.tags ?? {};
    for (const [name, value] of Object.entries(tags)) {
      checkName("tag", name);
      checkName(`value of tag ${name}`, value);
    }
    const priority = options.priority ?? workflow.options.priority ?? 0;
    if (!Number.isSafeInteger(priority))
      throw new InvalidArgumentError(`run ${id}: priority must be a whole number, not ${priority}`);
    const plain = valuesOf(id, undefined).toText(input, "", "its input");
    const text = codec === undefined ? plain : valuesOf(id, codec).toText(input, "", "its input");
    const { timeout } = workflow.options;
    const due = dueOf(id, options);
    return {
      kind: "start",
      claim: false,
      run: {
        id,
        workflow: workflow.name,
        version: workflow.version,
        input: checkSize(text, maxPayloadBytes, `run ${id}: its input`),
        inputHash: inputHash(plain),
        priority,
        tags,
        timeoutMs: timeout === undefined ? null : durationMs(timeout, `timeout of workflow ${workflow.name}`),
        ...(due === undefined ? {} : { due }),
      },
    };
  }

  #localWorker(
    workflow: string,
    version: string,
  ): { readonly local: LocalWorker; readonly writer: Writer } | undefined {
    for (const local of this.#core.hub.workers) {
      const writer = local.reserve(workflow, version);
      if (writer !== undefined) return { local, writer };
    }
    return undefined;
  }

  #started<O>(id: string, outcome: Outcome): RunHandle<O> {
    if (outcome.is === "conflict") throw new RunConflictError(id, outcome.workflow);
    if (outcome.is === "refused") throw new StoreError(`run ${id}: the store refused it: ${outcome.reason}`);
    return new RunHandle<O>(this.#core, id);
  }

  #write(write: Write, writer?: Writer): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#core.hub.committer.submit({ write, writer, settle: resolve, fail: reject });
    });
  }
}

function writeIn(store: Store, tx: unknown, write: Write): ReturnType<ClientCore["writeIn"]> {
  let now: Outcome | undefined;
  const onOutcomes = (outcomes: readonly Outcome[]): void => {
    now = outcomes[0];
  };
  const later = store
    .commit({ writes: [write], tx, onOutcomes })
    .then((outcomes): Outcome => outcomes[0] ?? { is: "fenced" });
  if (now !== undefined) later.catch(() => {});
  return { now, later };
}

function dueOf(id: string, options: StartOptions): StartWrite["run"]["due"] {
  const { delay, at } = options;
  if (delay !== undefined && at !== undefined)
    throw new InvalidArgumentError(`run ${id}: give either delay or at`);
  if (delay !== undefined) return { inMs: durationMs(delay, `delay of run ${id}`) };
  if (at === undefined) return undefined;
  if (!(at instanceof Date) || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError(`run ${id}: at is not a valid date`);
  return { at: at.getTime() };
}
