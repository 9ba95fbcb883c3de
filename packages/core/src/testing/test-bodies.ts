/** The bodies of the workflows under test: which were called, which are mocked or to fail, which execute now. */
import { systemClock } from "../clock.ts";
import type { StepContext } from "../context.ts";
import { idempotencyPath } from "../engine/names.ts";
import { InvalidArgumentError } from "../errors.ts";
import { scope } from "../runtime/scope.ts";
import type { AroundBody, BodyCall } from "./around-bodies.ts";

/** Which function of a step: its body (or the SQL of a `transaction`), its compensation, or its `inDoubt` function. */
export type BodyKind = "step" | "undo" | "inDoubt";

/** Called in place of a body, with what the body would get; `body()` calls the real one. */
export type MockBody = (step: StepContext, body: () => unknown) => unknown;

export interface FailOptions {
  /** How many attempts fail; `Infinity`: all. Default 1. */
  readonly times?: number;
  /** What they throw; default an `Error`, so that the step is tried again. */
  readonly error?: unknown;
  /** Default `"step"`. */
  readonly of?: BodyKind;
}

/** One call of a body. */
export interface BodyCalled {
  readonly run: string;
  /** The key of the step (or of the compensation), as in the journal: `charge`, `pack[book]`, `pack#2`. */
  readonly step: string;
  readonly of: BodyKind;
  /** Who answered: the real body, its mock, or the error of `fail`. */
  readonly by: "body" | "mock" | "fail";
  /** 1 for the first attempt of the step; grows with each failed one. */
  readonly attempt: number;
  readonly idempotencyKey: string;
}

export interface ExecutingBody {
  readonly called: BodyCalled;
  readonly step: StepContext;
  /** By the real clock. */
  readonly beganAt: number;
}

export class TestBodies {
  readonly calls: BodyCalled[] = [];
  readonly #mocks = new Map<string, MockBody>();
  readonly #failures = new Map<string, { left: number; readonly error: unknown }>();
  readonly #executing = new Set<ExecutingBody>();
  #ended = Promise.withResolvers<void>();

  mock(name: string, body: MockBody, of: BodyKind = "step"): void {
    if (typeof body !== "function")
      throw new InvalidArgumentError(`mock of ${name}: the second argument must be a function`);
    this.#mocks.set(placeOf(name, of), body);
  }

  unmock(name: string, of: BodyKind = "step"): void {
    this.#mocks.delete(placeOf(name, of));
    this.#failures.delete(placeOf(name, of));
  }

  fail(name: string, { times = 1, error = new Error(`${name} fails in this test`), of }: FailOptions): void {
    if (!(times > 0 && (Number.isInteger(times) || times === Number.POSITIVE_INFINITY)))
      throw new InvalidArgumentError(
        `fail of ${name}: times must be a whole number of at least 1, or Infinity, not ${times}`,
      );
    this.#failures.set(placeOf(name, of ?? "step"), { left: times, error });
  }

  /** In the order in which they began. */
  get executing(): readonly ExecutingBody[] {
    return [...this.#executing];
  }

  /** Settles when a body is over. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Their process died: nobody waits for them. */
  forget(): void {
    this.#executing.clear();
    this.#tell();
  }

  readonly around: AroundBody = (call, body) => {
    const key = scope.getStore()?.step ?? call.name;
    const of = kindOf(call);
    const step = call.step ?? this.#transactionStep(call, key);
    const places = [key, `${call.name}[${call.key}]`, call.name].map((name) => `${of} ${name}`);
    const failure = this.#failureOf(places);
    const mock = this.#mocks.get(places.find((place) => this.#mocks.has(place)) ?? "");
    const called: BodyCalled = {
      run: call.runId,
      step: key,
      of,
      by: failure === undefined ? (mock === undefined ? "body" : "mock") : "fail",
      attempt: step.attempt,
      idempotencyKey: step.idempotencyKey,
    };
    this.calls.push(called);
    if (failure !== undefined) throw failure.error;
    return this.#watched({ called, step, beganAt: systemClock.monotonic() }, () =>
      mock === undefined ? body() : mock(step, body),
    );
  };

  /** Uses one of the failures up. */
  #failureOf(places: readonly string[]): { readonly error: unknown } | undefined {
    const place = places.find((candidate) => this.#failures.has(candidate));
    const failure = this.#failures.get(place ?? "");
    if (place === undefined || failure === undefined) return undefined;
    failure.left -= 1;
    if (failure.left === 0) this.#failures.delete(place);
    return failure;
  }

  #watched(executing: ExecutingBody, call: () => unknown): unknown {
    const over = (): void => {
      if (this.#executing.delete(executing)) this.#tell();
    };
    this.#executing.add(executing);
    try {
      const result = call();
      // A query builder does its work when it is awaited: it is awaited once, here.
      const promise = isThenable(result) ? Promise.resolve(result) : undefined;
      if (promise === undefined) over();
      else promise.then(over, over);
      return promise ?? result;
    } catch (error) {
      over();
      throw error;
    }
  }

  #tell(): void {
    this.#ended.resolve();
    this.#ended = Promise.withResolvers<void>();
  }

  /** The SQL of a transaction gets no step; its mock does, as far as anybody knows. */
  #transactionStep({ runId }: BodyCall, key: string): StepContext {
    const before = this.calls.filter(({ run, step, of }) => run === runId && step === key && of === "step");
    return {
      attempt: before.length + 1,
      idempotencyKey: idempotencyPath(runId, key),
      signal: new AbortController().signal,
      log: silent,
    };
  }
}

function placeOf(name: string, of: BodyKind): string {
  if (typeof name !== "string" || name === "")
    throw new InvalidArgumentError(
      `the name of a step must be a text that is not empty, not ${String(name)}`,
    );
  return `${of} ${name}`;
}

function kindOf({ kind }: BodyCall): BodyKind {
  if (kind === "undo") return "undo";
  return kind === "lookUp" ? "inDoubt" : "step";
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
  } catch {
    return false; // the engine has its own words for it
  }
}

const ignore = (): void => {};
export const silent: StepContext["log"] = { debug: ignore, info: ignore, warn: ignore, error: ignore };
