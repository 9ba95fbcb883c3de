/** Starts runs and reaches them: needs the store only, not the workflow's code. */
import { type Clock, systemClock } from "../clock.ts";
import type { Duration } from "../context.ts";
import { InvalidArgumentError, RunConflictError, StoreError } from "../errors.ts";
import { checkRunId } from "../engine/names.ts";
import type { Codec } from "../engine/values.ts";
import type { NewRun, Outcome, StartWrite, Store, Write } from "../store.ts";
import type { Workflow } from "../definition.ts";
import type { ClientCore } from "./client-core.ts";
import type { Writer } from "./committer.ts";
import { checkDefinition } from "./definition-check.ts";
import { emit, type EmitOptions, type Emitted, Events } from "./events.ts";
import { hubOf, type LocalWorker } from "./hub.ts";
import { newRunId } from "./ids.ts";
import { PAYLOAD_MAX_BYTES } from "./limits.ts";
import { newRun } from "./new-run.ts";
import { RunHandle } from "./run-handle.ts";
import { Runs } from "./runs.ts";
import { validate } from "./validate.ts";
import { Workflows } from "./workflows.ts";

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

export class Client<Tx = unknown> implements AsyncDisposable {
  /** Looking at runs, and mending them. */
  readonly runs: Runs;
  /** What workers have, and all runs of a workflow together. */
  readonly workflows: Workflows;
  /** What was emitted. */
  readonly events: Events;
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
    this.workflows = new Workflows(this.#core, this.runs);
    this.events = new Events(this.#core);
  }

  /**
   * Starts a run, durably when it resolves. Starting the same id again with an equal input gives the same run; with another
   * input or workflow it is a `RunConflictError`. Throws `ValidationError` for an input that does not fit the schema.
   * After `StoreUnavailableError` nobody knows whether it was started: start it again with the same id.
   *
   * By its name alone, where the workflow's code is elsewhere, the run gets the version that workers told the store of last, and its input
   * is validated when it begins: an invalid one fails the run.
   */
  start<I, O>(workflow: Workflow<I, O>, input: I, options?: StartOptions<Tx>): Promise<RunHandle<O>>;
  start<O = unknown>(workflow: string, input: unknown, options?: StartOptions<Tx>): Promise<RunHandle<O>>;
  start(workflow: Workflow | string, input: unknown, options: StartOptions<Tx> = {}): Promise<RunHandle> {
    const { codec, clock, maxPayloadBytes } = this.#core;
    const { id = newRunId(clock.now()), tx } = options;
    const prepare = (valid: unknown): NewRun =>
      newRun({ id, workflow, input: valid, options, codec, maxPayloadBytes });
    return tx === undefined
      ? this.#start(workflow, input, prepare)
      : this.#startIn(tx, workflow, input, prepare);
  }

  /**
   * Starts one run of every workflow that listens to events of this name (`on`), also of those whose workers are down; durable when it
   * resolves. The same name and id is the same event: emitted again, it answers the same runs; with another payload it is an
   * `EventConflictError`. An event that nobody listens to starts nothing, and is listed with 0 runs.
   */
  emit(event: string, payload: unknown, options: EmitOptions<Tx> = {}): Promise<Emitted> {
    return emit(this.#core, event, payload, options);
  }

  /** A handle of a run, whether or not it exists. */
  get<O = unknown>(id: string): RunHandle<O> {
    checkRunId(id);
    return new RunHandle<O>(this.#core, id);
  }

  /** Nothing of a client needs to be closed but its store, which is yours. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #start(
    workflow: Workflow | string,
    input: unknown,
    prepare: (valid: unknown) => NewRun,
  ): Promise<RunHandle> {
    const run = prepare(await validInput(workflow, input));
    const write: StartWrite = { kind: "start", claim: false, run };
    const worker = this.#localWorker(run);
    if (worker === undefined) return this.#started(run.id, await this.#write(write));
    let adopted = false;
    try {
      const outcome = await this.#write({ ...write, claim: true }, worker.writer);
      if (outcome.is === "created" && outcome.claimed) {
        adopted = true;
        worker.local.adopt({ ...run, ...worker.as, createdAt: outcome.createdAt }, worker.writer);
      }
      return this.#started(run.id, outcome);
    } finally {
      if (!adopted) worker.local.unreserve();
    }
  }

  #startIn(
    tx: Tx,
    workflow: Workflow | string,
    input: unknown,
    prepare: (valid: unknown) => NewRun,
  ): Promise<RunHandle> {
    const valid = validInput(workflow, input);
    if (valid instanceof Promise)
      throw new InvalidArgumentError(
        `workflow ${nameOf(workflow)}: an input schema that validates asynchronously can't be used with \`tx\`; validate before the transaction`,
      );
    const run = prepare(valid);
    const { now, later } = this.#core.writeIn(tx, { kind: "start", claim: false, run });
    if (now !== undefined) return Promise.resolve(this.#started(run.id, now));
    return later.then((outcome) => this.#started(run.id, outcome));
  }

  /** What only a name is known of, the store has to look up. */
  #localWorker({ workflow, version, priority, due }: NewRun): Adopter | undefined {
    if (due !== undefined || version === null || priority === null) return undefined;
    for (const local of this.#core.hub.workers) {
      const writer = local.reserve(workflow, version);
      if (writer !== undefined) return { local, writer, as: { version, priority } };
    }
    return undefined;
  }

  #started(id: string, outcome: Outcome): RunHandle {
    if (outcome.is === "conflict") throw new RunConflictError(id, outcome.workflow);
    if (outcome.is === "refused") throw new StoreError(`run ${id}: the store refused it: ${outcome.reason}`);
    return new RunHandle(this.#core, id);
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

/** A worker of this process that has a slot for the run. */
interface Adopter {
  readonly local: LocalWorker;
  readonly writer: Writer;
  readonly as: { readonly version: string; readonly priority: number };
}

function validInput(workflow: Workflow | string, input: unknown): unknown {
  if (typeof workflow === "string") return input;
  checkDefinition("what is started", workflow);
  return validate(workflow.options.input, input, `the input of workflow ${workflow.name}`);
}

function nameOf(workflow: Workflow | string): string {
  return typeof workflow === "string" ? workflow : workflow.name;
}
