/**
 * Every error that everstep throws or records, each with a stable `code` and a section of docs/errors.md.
 * One class per thing that a caller would handle differently.
 */

/** On the prototype of each class below: its name, for all copies of this module that a process has loaded. */
const CLASS: unique symbol = Symbol.for("everstep.error");

/** Base of all errors of everstep. Compare `code`, which never changes, rather than `message`. */
export class EverstepError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }

  /** An error that another copy of this module made (a bundle, a second version installed) is the same error. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    const own = Object.getOwnPropertyDescriptor(this.prototype, CLASS)?.value as unknown;
    if (own === undefined || typeof value !== "object") return false;
    for (let proto: unknown = value; proto !== null; proto = Object.getPrototypeOf(proto) as unknown)
      if (Object.getOwnPropertyDescriptor(proto, CLASS)?.value === own) return true;
    return false;
  }
}

export interface FatalErrorOptions extends ErrorOptions {
  /** Your own stable code, e.g. `card_declined`; default `FATAL`. */
  readonly code?: string;
  /** Anything that can be stored; a caller who catches the failed step finds it on the cause. */
  readonly details?: unknown;
  /** Say `false` when you know that the effect did not happen (a declined charge): then it is not compensated. */
  readonly happened?: false;
}

/** Throw it in a step to fail the step for good: it is not tried again. Any other error is retried. */
export class FatalError extends EverstepError {
  readonly details: unknown;
  /** False: the effect is known not to have happened. Undefined: nobody knows, so it is compensated. */
  readonly happened: false | undefined;

  constructor(message: string, options: FatalErrorOptions = {}) {
    super(options.code ?? "FATAL", message, options);
    this.details = options.details;
    this.happened = options.happened;
  }
}

/** Throw it in a step to be tried again not before `after`: milliseconds or `"30s"` from now, or a date. */
export class RetryAfterError extends EverstepError {
  readonly after: number | string | Date;

  constructor(message: string, options: { readonly after: number | string | Date } & ErrorOptions) {
    super("RETRY_AFTER", message, options);
    this.after = options.after;
  }
}

/** A step failed for good: its body threw a `FatalError`, its retry policy is used up, or its result can't be stored. */
export class StepFailedError extends EverstepError {
  readonly runId: string;
  readonly step: string;
  /** How often the body failed. */
  readonly attempts: number;

  constructor(
    at: { readonly runId: string; readonly step: string; readonly attempts: number },
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super("STEP_FAILED", `run ${at.runId}: step ${at.step} failed: ${reason}`, { cause });
    this.runId = at.runId;
    this.step = at.step;
    this.attempts = at.attempts;
  }
}

/** A run that `ctx.call` waited for failed or was canceled; `cause` is its error. What it did it has undone itself. */
export class ChildFailedError extends EverstepError {
  /** The child's. */
  readonly runId: string;
  /** What the call is journaled as. */
  readonly call: string;
  readonly status: "failed" | "canceled";

  constructor(
    at: { readonly runId: string; readonly call: string; readonly status: "failed" | "canceled" },
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const came = at.status === "failed" ? "failed" : "was canceled";
    super("CHILD_FAILED", `child ${at.runId} (call ${at.call}) ${came}: ${reason}`, { cause });
    this.runId = at.runId;
    this.call = at.call;
    this.status = at.status;
  }
}

/** One attempt of a step took longer than its `timeout`. Retried like any other failure; its outcome is unknown. */
export class StepTimeoutError extends EverstepError {
  constructor(at: { readonly runId: string; readonly step: string; readonly timeoutMs: number }) {
    super(
      "STEP_TIMEOUT",
      `run ${at.runId}: step ${at.step} took longer than its timeout of ${at.timeoutMs} ms; whether its effect happened is unknown`,
    );
  }
}

/** `waitForSignal` was not answered in time. */
export class SignalTimeoutError extends EverstepError {
  constructor(runId: string, signal: string) {
    super("SIGNAL_TIMEOUT", `run ${runId}: no signal ${signal} came in time`);
  }
}

/** The run took longer than the `timeout` of its workflow; what it did was compensated. */
export class RunTimeoutError extends EverstepError {
  constructor(runId: string, timeoutMs: number) {
    super("RUN_TIMEOUT", `run ${runId} took longer than its timeout of ${timeoutMs} ms and was undone`);
  }
}

/** The run failed; `cause` is what its handler threw. */
export class RunFailedError extends EverstepError {
  readonly runId: string;

  constructor(runId: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super("RUN_FAILED", `run ${runId} failed: ${reason}`, { cause });
    this.runId = runId;
  }
}

/** The run was canceled, so it has no result. */
export class RunCanceledError extends EverstepError {
  constructor(runId: string, reason?: string) {
    super("RUN_CANCELED", `run ${runId} was canceled${reason === undefined ? "" : `: ${reason}`}`);
  }
}

/** The run has ended: it takes no signal and can't be canceled any more. */
export class RunEndedError extends EverstepError {
  readonly status: string;

  constructor(runId: string, status: string, wish: string) {
    super("RUN_ENDED", `run ${runId} is ${status}: ${wish} came too late and changed nothing`);
    this.status = status;
  }
}

/** No run has this id. */
export class RunNotFoundError extends EverstepError {
  constructor(runId: string) {
    super(
      "RUN_NOT_FOUND",
      `there is no run ${runId} in this store; check the id and that both sides use the same database`,
    );
  }
}

/** The id belongs to a run of another workflow or with another input; the running one was left alone. */
export class RunConflictError extends EverstepError {
  constructor(
    runId: string,
    workflow: string,
    remedy = "with another workflow or input; the same id is the same run: choose another id, or start it with the same input",
  ) {
    super("RUN_CONFLICT", `run ${runId} exists already, as a run of ${workflow}: ${remedy}`);
  }
}

/** The event's id was used before, with another payload; what the first one started was left alone. */
export class EventConflictError extends EverstepError {
  constructor(event: string, id: string) {
    super(
      "EVENT_CONFLICT",
      `event ${event} with the id ${id} was emitted before with another payload: the same id is the same event; choose another id, or emit the same payload`,
    );
  }
}

/** The operation does not fit the run's state, e.g. `resume` of a run that is not stuck. Nothing changed. */
export class RunStateError extends EverstepError {
  constructor(runId: string, status: string, remedy: string) {
    super("RUN_STATE", `run ${runId} is ${status}: ${remedy}`);
  }
}

/** `result({ timeout })` waited long enough; the run goes on. */
export class ResultTimeoutError extends EverstepError {
  constructor(runId: string, timeoutMs: number) {
    super(
      "RESULT_TIMEOUT",
      `run ${runId} did not end within ${timeoutMs} ms; it goes on, ask for its result again`,
    );
  }
}

/** Input, output, step result or signal does not fit its schema. `issues` are those of Standard Schema. */
export class ValidationError extends EverstepError {
  readonly issues: readonly { readonly message: string; readonly path: string }[];

  constructor(what: string, issues: readonly { readonly message: string; readonly path: string }[]) {
    const list = issues
      .map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`))
      .join("; ");
    super("VALIDATION", `${what} is not valid: ${list}`);
    this.issues = issues;
  }
}

/** A value can't be stored: a function, a class instance, something cyclic or too deep; or stored text can't be read. */
export class SerializationError extends EverstepError {
  /** Where in the value, e.g. `$.items[2].price`. */
  readonly path: string;

  constructor(what: string, path: string, reason: string) {
    super("SERIALIZATION", `${what} can't be stored: ${reason} at ${path}; return plain data instead`);
    this.path = path;
  }
}

/** Stored text can't be read back: written with another codec or key, or damaged. */
export class DecodingError extends EverstepError {
  constructor(what: string, cause: unknown) {
    super(
      "DECODING",
      `${what} can't be decoded: ${cause instanceof Error ? cause.message : String(cause)}; check the codec and its keys`,
      { cause },
    );
  }
}

/** A value is larger than the limit of the store's payloads. */
export class PayloadTooLargeError extends EverstepError {
  constructor(what: string, bytes: number, maxBytes: number) {
    super(
      "PAYLOAD_TOO_LARGE",
      `${what} is ${bytes} bytes, more than the limit of ${maxBytes}; store it elsewhere and return a reference, or raise maxPayloadBytes`,
    );
  }
}

/** An option, name or duration given by the program is wrong. Nothing was changed. */
export class InvalidArgumentError extends EverstepError {
  constructor(message: string) {
    super("INVALID_ARGUMENT", message);
  }
}

/** A context was used where it can't be: inside a step's body, or after its run ended. */
export class ContextError extends EverstepError {
  constructor(message: string) {
    super("CONTEXT", message);
  }
}

/** The database can't be used as it is: corrupt, read-only, made by a newer everstep, on a network disk … Says what to do. */
export class StoreError extends EverstepError {
  constructor(message: string, options?: ErrorOptions) {
    super("STORE", message, options);
  }
}

/** The database does not answer now. everstep waits and tries again; no attempt of any step is used up by it. */
export class StoreUnavailableError extends EverstepError {
  constructor(message: string, options?: ErrorOptions) {
    super("STORE_UNAVAILABLE", message, options);
  }
}

/** Reasons for which a run is stuck: `stuck.code` of its record. Each has a section in docs/errors.md. */
export type StuckCode =
  /** The code asks for something else than the journal recorded. */
  | "DIVERGED"
  /** The handler threw a TypeError, ReferenceError or the like, or misused its context. */
  | "BUG"
  /** Its worker died again and again while nothing but this run was executing. */
  | "POISON"
  /** A step with `onExhausted: "stick"` used up its retries. */
  | "EXHAUSTED"
  /** Nobody knows whether a step's effect happened, and `inDoubt` says to ask a person. */
  | "IN_DOUBT"
  /** A compensation can't succeed; all others are done. */
  | "UNDO_FAILED"
  /** An input, result or signal can't be decoded. */
  | "UNDECODABLE"
  /** The store refused this run's data. */
  | "REFUSED";

/** Named again: a bundler that shortens the names of classes must not change what is stored of an error, and revived by its name. */
const CLASSES: Readonly<Record<string, new (...args: never) => EverstepError>> = {
  EverstepError,
  FatalError,
  RetryAfterError,
  StepFailedError,
  ChildFailedError,
  StepTimeoutError,
  SignalTimeoutError,
  RunTimeoutError,
  RunFailedError,
  RunCanceledError,
  RunEndedError,
  RunNotFoundError,
  RunConflictError,
  EventConflictError,
  RunStateError,
  ResultTimeoutError,
  ValidationError,
  SerializationError,
  DecodingError,
  PayloadTooLargeError,
  InvalidArgumentError,
  ContextError,
  StoreError,
  StoreUnavailableError,
};

for (const [name, own] of Object.entries(CLASSES)) {
  Object.defineProperty(own, "name", { value: name, configurable: true });
  Object.defineProperty(own.prototype, CLASS, { value: name });
}
