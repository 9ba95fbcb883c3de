/** One attempt of one body: its context, its timeout, its abort signal, and the one call that says how it came out. */
import { hash } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Logger, StepContext } from "../context.ts";
import { FatalError, StepTimeoutError } from "../errors.ts";
import { readable } from "../engine/error-data.ts";
import { idempotencyPath } from "../engine/names.ts";
import { childLogger } from "./log.ts";
import { scope } from "./scope.ts";

/** Stripe's limit, and that of most others. */
const IDEMPOTENCY_KEY_MAX = 255;

export type AttemptResult =
  | { readonly ok: true; readonly value: unknown }
  /** `lingering`: given up after its timeout, it still runs. */
  | {
      readonly ok: false;
      readonly error: unknown;
      readonly timedOut: boolean;
      readonly aborted: boolean;
      readonly lingering: boolean;
    };

export interface AttemptSetup {
  readonly clock: Clock;
  readonly run: object;
  readonly runId: string;
  readonly key: string;
  /** What the idempotency key is made of, and what is added to it. */
  readonly identity: string;
  readonly suffix: string;
  readonly attempt: number;
  readonly timeoutMs: number | undefined;
  readonly logger: Logger;
  readonly body: (step: StepContext) => unknown;
  /** Called once. */
  readonly ended: (result: AttemptResult) => void;
  /** Called when a body that was given up after its timeout is over at last. */
  readonly endedLate: () => void;
}

export class Attempt implements StepContext {
  readonly attempt: number;
  readonly #setup: AttemptSetup;
  #controller: AbortController | undefined;
  #abortReason: { readonly reason: unknown } | undefined;
  #timedOut: StepTimeoutError | undefined;
  #over = false;
  #cancelTimer: (() => void) | undefined;
  #cancelGrace: (() => void) | undefined;

  constructor(setup: AttemptSetup) {
    this.attempt = setup.attempt;
    this.#setup = setup;
  }

  get idempotencyKey(): string {
    const { runId, identity, suffix } = this.#setup;
    const path = idempotencyPath(runId, identity, suffix);
    return path.length <= IDEMPOTENCY_KEY_MAX
      ? path
      : `${path.slice(0, IDEMPOTENCY_KEY_MAX - 65)}-${hash("sha256", path)}`;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason.reason);
    }
    return this.#controller.signal;
  }

  get log(): Logger {
    const { runId, key, logger } = this.#setup;
    return childLogger(logger, { run: runId, step: key, attempt: this.attempt });
  }

  begin(): void {
    const { clock, timeoutMs, run, key, body } = this.#setup;
    if (timeoutMs !== undefined) this.#cancelTimer = clock.after(timeoutMs, () => this.#timeOut(timeoutMs));
    let result: unknown;
    try {
      result = scope.run({ run, step: key }, body, this);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (isThenable(result))
      // Query builders are thenables too: through a promise each settles once, and never throws.
      Promise.resolve(result).then(
        (value) => this.#finish({ ok: true, value }),
        (error: unknown) => this.#failed(error),
      );
    else this.#finish({ ok: true, value: result });
  }

  /** Tells the body to stop. What it does after that is still awaited, for `graceMs` if that is given. */
  abort(reason: unknown, graceMs?: number): void {
    if (this.#over) return;
    if (graceMs !== undefined) this.#giveUpIn(graceMs, reason);
    if (this.#abortReason !== undefined) return;
    this.#abortReason = { reason };
    this.#controller?.abort(reason);
  }

  /** A body that ignores its signal runs on, and whatever it comes to is ignored. */
  #giveUpIn(graceMs: number, reason: unknown): void {
    this.#cancelGrace ??= this.#setup.clock.after(graceMs, () =>
      this.#finish({
        ok: false,
        error: reason,
        timedOut: this.#timedOut !== undefined,
        aborted: true,
        lingering: true,
      }),
    );
  }

  /** A body that ignores its signal is awaited as long again: a late success counts. */
  #timeOut(timeoutMs: number): void {
    const { runId, key, clock } = this.#setup;
    const error = new StepTimeoutError({ runId, step: key, timeoutMs });
    this.#timedOut = error;
    this.abort(error);
    this.#cancelTimer = clock.after(timeoutMs, () =>
      this.#finish({ ok: false, error, timedOut: true, aborted: true, lingering: true }),
    );
  }

  #failed(thrown: unknown): void {
    const error = readable(thrown);
    // A body that says for good how it ended is believed, however late.
    const timedOut = this.#timedOut !== undefined && !(error instanceof FatalError);
    this.#finish({
      ok: false,
      error: timedOut ? this.#timedOut : error,
      timedOut,
      aborted: this.#abortReason !== undefined,
      lingering: false,
    });
  }

  #finish(result: AttemptResult): void {
    if (this.#over) {
      this.#setup.endedLate();
      return;
    }
    this.#over = true;
    this.#cancelTimer?.();
    this.#cancelGrace?.();
    this.#setup.ended(result);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
  } catch {
    return false; // a revoked proxy, a getter that throws: a value that can't be stored
  }
}
