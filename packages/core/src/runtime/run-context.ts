/** The `ctx` of one attempt: turns what the code asks for into asks of the engine and promises. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type {
  CallOptions,
  Context,
  Duration,
  Logger,
  RaceResult,
  RunRef,
  StartChildOptions,
  StepContext,
  StepOptions,
  UndoOptions,
} from "../context.ts";
import { ContextError, InvalidArgumentError } from "../errors.ts";
import type { AskRequest } from "../engine/asks.ts";
import { durationMs, INSTANT_MAX } from "../engine/duration.ts";
import { checkAskName, checkKey, checkName } from "../engine/names.ts";
import { prng } from "../engine/prng.ts";
import { retryOf } from "../engine/retry.ts";
import type { Workflow } from "../definition.ts";
import type { Activation } from "./activation.ts";
import { boundedMap } from "./bounded-map.ts";
import { checkDefinition } from "./definition-check.ts";
import type { AskHandle, Body } from "./handle.ts";
import { childLogger } from "./log.ts";
import { race } from "./race.ts";
import { scope } from "./scope.ts";
import { type Sending, sendEvent, sendSignal, sendStart } from "./sending.ts";

type Wish = Omit<AskRequest<AskHandle>, "handle">;

export class RunContext implements Context {
  readonly #activation: Activation;
  readonly #prng: () => ReturnType<typeof prng>;
  #log: Logger | undefined;

  constructor(activation: Activation) {
    this.#activation = activation;
    let generator: { readonly of: string; readonly draws: ReturnType<typeof prng> } | undefined;
    this.#prng = () => {
      const { current } = activation.machine.origins;
      if (generator?.of !== current) generator = { of: current, draws: prng(current) };
      return generator.draws;
    };
  }

  get run(): Context["run"] {
    const { id, workflow, version, startedAt, createdAt } = this.#activation.machine.run;
    return { id, workflow, version, startedAt: new Date(startedAt ?? createdAt) };
  }

  get log(): Logger {
    const { machine, host, runId } = this.#activation;
    this.#log ??= childLogger(host.logger, { run: runId }, () => machine.replaying || this.#activation.over);
    return this.#log;
  }

  step<T>(name: string, fn: (step: StepContext) => T | Promise<T>, options: StepOptions<T> = {}): Promise<T> {
    this.#check("step", name);
    if (typeof fn !== "function")
      throw new InvalidArgumentError(`step ${name}: the second argument must be a function`);
    const { compensate, inDoubt } = options;
    return this.#body(name, options, {
      timeoutMs: timeoutOf(name, options.timeout),
      run: fn,
      ...(compensate === undefined ? {} : { undo: compensate as NonNullable<Body["undo"]> }),
      ...(inDoubt === undefined || inDoubt === "rerun" ? {} : { inDoubt }),
    });
  }

  /** A step whose body is SQL in the store's own transaction. */
  transact<T>(
    name: string,
    sql: (tx: unknown) => unknown,
    options: Pick<StepOptions<T>, "key" | "retry"> = {},
  ): Promise<T> {
    this.#check("step", name);
    return this.#body(name, options, { timeoutMs: undefined, transact: sql });
  }

  compensate(name: string, undo: (step: StepContext) => unknown, options: UndoOptions = {}): void {
    this.#check("undo", name);
    const body: Body = { timeoutMs: timeoutOf(name, options.timeout), undo: (_done, step) => undo(step) };
    const plan = {
      retry: retryOf(options.retry, `compensation ${name}`),
      recordStart: false,
      askInDoubt: false,
    };
    this.#activation.ask({
      kind: "undo",
      name,
      plan,
      compensates: true,
      handle: { resolve: ignore, reject: ignore, body },
    });
  }

  pivot(name: string): Promise<void> {
    this.#check("pivot", name);
    return this.#promise({ kind: "pivot", name });
  }

  sleep(name: string, duration: Duration, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#check("timer", name);
    const ms = durationMs(duration, `sleep ${name}`);
    return this.#promise(
      { kind: "timer", name, dueAt: Math.min(this.#activation.machine.nowMs + ms, INSTANT_MAX) },
      options,
    );
  }

  sleepUntil(name: string, date: Date, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#check("timer", name);
    const dueAt = date instanceof Date ? date.getTime() : Number.NaN;
    if (Number.isNaN(dueAt)) throw new InvalidArgumentError(`sleepUntil ${name}: the date is not valid`);
    return this.#promise({ kind: "timer", name, dueAt }, options);
  }

  waitForSignal<T = unknown>(
    name: string,
    options: {
      readonly timeout?: Duration;
      readonly schema?: StandardSchemaV1<unknown, T>;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<T> {
    this.#check("signal", name);
    const { timeout, schema } = options;
    const dueAt =
      timeout === undefined
        ? null
        : this.#activation.machine.nowMs + durationMs(timeout, `timeout of signal ${name}`);
    return this.#promise<T>({ kind: "signal", name, dueAt }, options, undefined, schema);
  }

  call<I, O>(workflow: Workflow<I, O> | string, input: I, options: CallOptions<O> = {}): Promise<O> {
    const definition = workflow as Workflow | string;
    const name = options.name ?? nameOf(definition);
    this.#check("call", name);
    const { compensate } = options;
    const sending = sendStart(this.#activation, definition, input, options, true);
    const undo = compensate as Body["undo"];
    const body: Body | undefined = undo === undefined ? undefined : { timeoutMs: undefined, undo };
    return this.#send({ kind: "child", name, compensates: undo !== undefined }, sending, options, body);
  }

  start<I, O>(workflow: Workflow<I, O> | string, input: I, options: StartChildOptions = {}): Promise<RunRef> {
    const definition = workflow as Workflow | string;
    const name = options.name ?? nameOf(definition);
    this.#check("start", name);
    return this.#send(
      { kind: "start", name },
      sendStart(this.#activation, definition, input, options, false),
    );
  }

  /** Its name may be that of anything else that the code asks for: what it is journaled as is not. */
  emit(event: string, payload: unknown, options: { readonly id?: string } = {}): Promise<void> {
    this.#check("event", event);
    const sending = sendEvent(this.#activation, event, payload, options.id);
    return this.#send({ kind: "emit", name: `emit ${event}` }, sending);
  }

  signal(runId: string, name: string, payload?: unknown): Promise<void> {
    this.#check("signal", name);
    return this.#send(
      { kind: "send", name: `signal ${name}` },
      sendSignal(this.#activation, runId, name, payload),
    );
  }

  map<T, R>(
    items: Iterable<T>,
    fn: (item: T, index: number) => Promise<R>,
    options: { readonly concurrency?: number } = {},
  ): Promise<R[]> {
    this.#checkScope("map");
    return quiet(boundedMap(items, fn, options.concurrency));
  }

  race<B extends Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>>(
    branches: B,
  ): Promise<RaceResult<B>> {
    this.#checkScope("race");
    if (Object.keys(branches).length === 0)
      throw new InvalidArgumentError("a race needs at least one branch: it would never end");
    return quiet(race(this.#activation, branches));
  }

  tag(tags: Readonly<Record<string, string>>): void {
    this.#checkScope("tag");
    for (const [name, value] of Object.entries(tags)) {
      checkName("tag", name);
      checkName(`value of tag ${name}`, value);
    }
    if (!this.#activation.over) this.#activation.machine.journal.tag(tags);
  }

  now(): Date {
    return new Date(this.#activation.machine.nowMs);
  }

  random(): number {
    return this.#prng().next();
  }

  uuid(): string {
    return this.#prng().uuid();
  }

  patched(change: string): boolean {
    this.#checkScope("patched");
    checkName("change", change);
    return this.#activation.over
      ? false
      : this.#activation.machine.patched(change, this.#activation.host.now());
  }

  #body<T>(name: string, options: StepOptions<T>, body: Body): Promise<T> {
    const { workflow } = this.#activation;
    const plan = {
      retry: retryOf(options.retry ?? workflow.options.retry, `step ${name}`),
      recordStart: body.undo !== undefined || body.inDoubt !== undefined,
      askInDoubt: body.inDoubt !== undefined,
    };
    const { key, was, output } = options;
    if (key !== undefined) checkKey(`key of step ${name}`, key);
    for (const older of was ?? []) checkAskName(`step (in \`was\` of ${name})`, older);
    const wish: Wish = {
      kind: "step",
      name,
      plan,
      compensates: body.undo !== undefined,
      ...(key === undefined ? {} : { key }),
      ...(was === undefined ? {} : { was }),
    };
    return this.#promise(wish, {}, body, output);
  }

  #send<T>(
    wish: Wish,
    { send, refusal }: Sending,
    options: { readonly signal?: AbortSignal } = {},
    body?: Body,
  ): Promise<T> {
    return this.#promise({ ...wish, send }, options, body, undefined, refusal);
  }

  #promise<T>(
    wish: Wish,
    options: { readonly signal?: AbortSignal } = {},
    body?: Body,
    schema?: StandardSchemaV1,
    refusal?: Sending["refusal"],
  ): Promise<T> {
    const signal = eitherOf(options.signal, scope.getStore()?.lost);
    const promise = new Promise<T>((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const withdraw = (): void => {
        if (ask?.state !== "open" || this.#activation.over) return;
        this.#activation.withdraw(ask);
        reject(signal?.reason as Error);
      };
      // A long-lived signal is not to hold on to what is over.
      const last =
        <V>(settle: (value: V) => void) =>
        (value: V): void => {
          signal?.removeEventListener("abort", withdraw);
          settle(value);
        };
      const handle: AskHandle = {
        resolve: last(resolve as (value: unknown) => void),
        reject: last(reject),
        body,
        schema,
        refusal,
      };
      const ask = this.#activation.ask({ ...wish, handle });
      signal?.addEventListener("abort", withdraw, { once: true });
    });
    return quiet(promise);
  }

  #check(kind: string, name: string): void {
    this.#checkScope(`${kind} ${String(name)}`);
    checkAskName(kind, name);
  }

  /** A context belongs to its run's handler: not to a step's body, and not to another run. */
  #checkScope(what: string): void {
    const here = scope.getStore();
    if (here === undefined) return;
    const { runId, machine, host } = this.#activation;
    if (here.step !== undefined) {
      const error = new ContextError(
        `run ${runId}: ${what} was asked for inside the body of step ${here.step}; a body can't use ctx: do it before or after the step`,
      );
      machine.stick("BUG", `${error.message}. Fix the code, deploy, and resume the run.`, host.now());
      throw error;
    }
    if (here.run !== this.#activation)
      throw new ContextError(
        `run ${runId}: ${what} was asked for by the handler of another run; use the ctx that the handler is given`,
      );
  }
}

function nameOf(workflow: Workflow | string): string {
  if (typeof workflow === "string") return workflow;
  checkDefinition("what a run calls or starts", workflow);
  return workflow.name;
}

function timeoutOf(name: string, timeout: Duration | undefined): number | undefined {
  return timeout === undefined ? undefined : durationMs(timeout, `timeout of step ${name}`);
}

/** The wait ends when its caller gives it up, or when the branch of a race that it stands in has lost. */
function eitherOf(own: AbortSignal | undefined, lost: AbortSignal | undefined): AbortSignal | undefined {
  if (own === undefined || lost === undefined || own === lost) return own ?? lost;
  return AbortSignal.any([own, lost]);
}

/** What nobody awaits yet and rejects must not end the process. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

function ignore(): void {}
