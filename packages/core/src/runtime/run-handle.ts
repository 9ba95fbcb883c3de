import { randomUUID } from "node:crypto";
import type { Duration } from "../context.ts";
import { ResultTimeoutError, RunFailedError, RunNotFoundError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import { checkAskName, checkRunId } from "../engine/names.ts";
import { statusOf } from "../engine/status.ts";
import { valuesOf } from "../engine/values.ts";
import type { MessageWrite, Outcome, RunStatus } from "../store.ts";
import { checkAccepted, orderCancel } from "./cancel-order.ts";
import type { ClientCore } from "./client-core.ts";
import { checkSize } from "./limits.ts";
import type { RunEnd } from "./results.ts";

/** One run, reached through the store: works in every process. */
export class RunHandle<O = unknown> {
  readonly id: string;
  readonly #core: ClientCore;

  constructor(core: ClientCore, id: string) {
    this.#core = core;
    this.id = id;
  }

  /**
   * The run's result, once it completed. Throws `RunFailedError` (its `cause` is what the handler threw), `RunCanceledError`,
   * `RunNotFoundError`, and after `timeout` `ResultTimeoutError`: the run goes on.
   */
  async result(options: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {}): Promise<O> {
    const end = await this.#end(options);
    const values = valuesOf(this.id, this.#core.codec);
    if (end.status === "completed")
      return (end.result === undefined ? undefined : values.fromText(end.result, "", "its result")) as O;
    const cause = end.error === undefined ? undefined : values.errorFromText(end.error, "", "its error");
    throw end.status === "canceled" && cause !== undefined ? cause : new RunFailedError(this.id, cause);
  }

  /** Throws `RunNotFoundError`. */
  async status(): Promise<RunStatus> {
    const { runs, now } = await this.#core.store.list({ ids: [this.id] }, { limit: 1 });
    const [run] = runs;
    if (run === undefined) throw new RunNotFoundError(this.id);
    return statusOf(run, now);
  }

  /**
   * Durably orders the run to be canceled: what it did is compensated, unless `compensate` is false. Resolves when the order is
   * stored, not when it is carried out; `result()` then rejects with `RunCanceledError`, unless the run completed at that moment. Throws `RunEndedError` when the run
   * has completed or failed already.
   */
  async cancel(options: { readonly compensate?: boolean; readonly reason?: string } = {}): Promise<void> {
    await orderCancel(this.#core, this.id, options);
  }

  /**
   * Sends a signal, durably when it resolves: it reaches the run's next `waitForSignal` of that name, also one that comes later.
   * Give `id` (such as a webhook's event id) to be deduplicated. Throws `RunEndedError`, `RunNotFoundError`.
   */
  signal(
    name: string,
    payload?: unknown,
    options: { readonly id?: string; readonly tx?: unknown } = {},
  ): Promise<void> {
    checkAskName("signal", name);
    const { id = randomUUID(), tx } = options;
    checkRunId(id);
    const what = `the signal ${name}`;
    const text = valuesOf(this.id, this.#core.codec).toText(payload, name, what);
    checkSize(text, this.#core.maxPayloadBytes, `run ${this.id}: ${what}`);
    const message = { type: "signal", id, name, payload: text } as const;
    const write: MessageWrite = { kind: "message", runId: this.id, message };
    const accepted = (outcome: Outcome): void => checkAccepted(this.id, outcome, what);
    if (tx === undefined) return this.#core.write(write).then(accepted);
    const { now, later } = this.#core.writeIn(tx, write);
    if (now === undefined) return later.then(accepted);
    accepted(now);
    return Promise.resolve();
  }

  #end(options: { readonly timeout?: Duration; readonly signal?: AbortSignal }): Promise<RunEnd> {
    const { hub, clock } = this.#core;
    const { signal } = options;
    const timeoutMs =
      options.timeout === undefined ? undefined : durationMs(options.timeout, "timeout of result()");
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const aborted = (): void => over(() => reject(signal?.reason as Error));
      const cancelWait = hub.results.wait(this.id, (end) =>
        over(() => {
          if (end === "not-found") reject(new RunNotFoundError(this.id));
          else if (end instanceof Error) reject(end);
          else resolve(end);
        }),
      );
      const cancelTimer =
        timeoutMs === undefined
          ? undefined
          : clock.after(timeoutMs, () => over(() => reject(new ResultTimeoutError(this.id, timeoutMs))));
      signal?.addEventListener("abort", aborted, { once: true });
      const over = (settle: () => void): void => {
        cancelWait();
        cancelTimer?.();
        signal?.removeEventListener("abort", aborted);
        settle();
      };
    });
  }
}
