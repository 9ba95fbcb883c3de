/** Runs the bodies of one activation: steps, look-ups of in-doubt steps, transactions, undos. */
import type { StepOutcome } from "../context.ts";
import {
  EverstepError,
  FatalError,
  InvalidArgumentError,
  PayloadTooLargeError,
  RetryAfterError,
  SerializationError,
  StoreError,
  StoreUnavailableError,
  ValidationError,
} from "../errors.ts";
import { type Ask, suffixOf } from "../engine/asks.ts";
import type { AttemptEnd, FailedEnd } from "../engine/bodies.ts";
import { durationMs, INSTANT_MAX } from "../engine/duration.ts";
import { readable, sentenceOf } from "../engine/error-data.ts";
import type { NewEntry } from "../store.ts";
import type { Activation } from "./activation.ts";
import { Attempt, type AttemptResult } from "./attempt.ts";
import type { AskHandle, Body } from "./handle.ts";
import { checkSize } from "./limits.ts";
import { toLog } from "./log.ts";
import { scope } from "./scope.ts";
import { validate } from "./validate.ts";

/** From this failed attempt on, a step that keeps failing is logged as a warning: its author may have meant FatalError. */
const WARN_FAILURES = 5;

type Kind = "step" | "lookUp" | "undo";

export class BodyRunner {
  readonly #run: Activation;
  readonly #attempts = new Map<Ask<AskHandle>, { readonly attempt: Attempt; readonly kind: Kind }>();
  readonly #deferred: (() => void)[] = [];
  #progress = false;
  /** Bodies that live in this process, those included that were given up after their timeout. */
  living = 0;
  /** A transaction is under way: nothing else of this run may be journaled before it. */
  holding = false;

  constructor(run: Activation) {
    this.#run = run;
  }

  get progressed(): boolean {
    return this.#progress;
  }

  /** True once after each step that settled. */
  takeProgress(): boolean {
    const progress = this.#progress;
    this.#progress = false;
    return progress;
  }

  begin(ask: Ask<AskHandle>): void {
    const body = ask.handle.body;
    const { machine, host } = this.#run;
    if (body === undefined || this.holding) return;
    // A body before it in this turn is over already: a transaction's entry can't overtake that of another.
    if (body.transact !== undefined && !machine.journal.allDurable) return;
    machine.bodies.begin(ask, host.now());
    this.#began();
    if (body.transact !== undefined) {
      host.watch?.bodyBegan(this.#run, ask, "step");
      this.#transact(ask, body.transact).catch((error: unknown) =>
        this.#transactFailed(ask, readable(error)),
      );
    } else if (machine.bodies.inDoubt(ask)) this.#lookUp(ask, body);
    else this.#attempt(ask, "step", (step) => body.run?.(step));
  }

  beginUndo(ask: Ask<AskHandle>): void {
    const undo = ask.handle.body?.undo;
    if (undo === undefined) return;
    const done = this.#outcomeOf(ask);
    this.#run.machine.undos.began();
    this.#began();
    this.#attempt(ask, "undo", (step) => undo(done, step));
  }

  abort(ask: Ask<AskHandle>, why: string): void {
    this.#attempts.get(ask)?.attempt.abort(abortion(why));
  }

  /** Undos are never aborted by what they undo. */
  abortSteps(why: string, graceMs: number): void {
    for (const { attempt, kind } of this.#attempts.values())
      if (kind !== "undo") attempt.abort(abortion(why), graceMs);
  }

  abortAll(why: string): void {
    for (const { attempt } of this.#attempts.values()) attempt.abort(abortion(why));
  }

  #began(): void {
    this.living += 1;
    this.#run.host.gate.began();
  }

  #gone(): void {
    this.living -= 1;
    this.#run.bodyGone();
  }

  #outcomeOf(ask: Ask<AskHandle>): StepOutcome<unknown> {
    if (ask.result === undefined) return { outcome: "unknown" };
    const { text } = ask.result;
    const result =
      text === undefined ? undefined : this.#run.values.fromText(text, ask.key, `result of step ${ask.key}`);
    return { outcome: "completed", result };
  }

  #lookUp(ask: Ask<AskHandle>, body: Body): void {
    const { inDoubt } = body;
    if (typeof inDoubt === "function") this.#attempt(ask, "lookUp", inDoubt);
    // The person who resumed the run was asked about this step, and has decided.
    else if (this.#run.machine.bodies.decided(ask)) this.#attempt(ask, "step", (step) => body.run?.(step));
    else this.#ended(ask, () => ({ how: "stick" }));
  }

  #attempt(ask: Ask<AskHandle>, kind: Kind, body: ConstructorParameters<typeof Attempt>[0]["body"]): void {
    const { host, runId, machine } = this.#run;
    const failures = (kind === "undo" ? machine.undos.rowOf(ask.key)?.failures : ask.retry?.failures) ?? 0;
    const attempt = new Attempt({
      clock: host.clock,
      run: this.#run,
      runId,
      key: ask.key,
      identity: ask.identity,
      suffix: `${suffixOf(ask)}${kind === "undo" ? machine.undos.suffixOf(ask.key) : ""}`,
      attempt: failures + 1,
      timeoutMs: ask.handle.body?.timeoutMs,
      logger: host.logger,
      body,
      ended: (result) => this.#over(ask, kind, result),
      endedLate: () => this.#gone(),
    });
    this.#attempts.set(ask, { attempt, kind });
    host.watch?.bodyBegan(this.#run, ask, kind);
    attempt.begin();
  }

  #over(ask: Ask<AskHandle>, kind: Kind, result: AttemptResult): void {
    this.#attempts.delete(ask);
    if (this.#run.over) {
      this.#leave(result);
      return;
    }
    if (!result.ok) this.#finish(ask, kind, result, this.#failure(ask, kind, result));
    else if (kind === "undo") this.#finish(ask, kind, result, { how: "completed", text: undefined });
    else if (kind === "lookUp") this.#finishLookUp(ask, result.value, result);
    else this.#finishValue(ask, kind, result.value, result);
  }

  #leave(result: AttemptResult): void {
    this.#run.host.gate.ended();
    if (result.ok || !result.lingering) this.#gone();
  }

  #finish(ask: Ask<AskHandle>, kind: Kind, result: AttemptResult, end: AttemptEnd): void {
    this.#leave(result);
    if (!result.ok && result.lingering) this.#run.host.watch?.bodyLingers(this.#run, ask, kind);
    this.#record(() => (kind === "undo" ? this.#undoEnded(ask, end) : this.#stepEnded(ask, end)));
  }

  /** Validated and encoded while the step still counts as executing; what can't be stored is a failure for good. */
  #finishValue(ask: Ask<AskHandle>, kind: Kind, value: unknown, result: AttemptResult): void {
    const what = `run ${this.#run.runId}: the result of step ${ask.key}`;
    const refuse = (error: unknown): void =>
      this.#finish(ask, kind, result, this.#failed(error, { fatal: true }));
    const accept = (output: unknown): void => {
      try {
        const text =
          output === undefined
            ? undefined
            : this.#run.values.toText(output, ask.key, `the result of step ${ask.key}`);
        if (text !== undefined) checkSize(text, this.#run.host.maxPayloadBytes, what);
        this.#finish(ask, kind, result, { how: "completed", text });
      } catch (error) {
        if (error instanceof SerializationError || error instanceof PayloadTooLargeError) refuse(error);
        else {
          this.#leave(result);
          this.#record(() => {
            throw error;
          });
        }
      }
    };
    try {
      const { schema } = ask.handle;
      const output = schema === undefined ? value : validate(schema, value, what);
      if (output instanceof Promise) output.then(accept, refuse);
      else accept(output);
    } catch (error) {
      refuse(error);
    }
  }

  #finishLookUp(ask: Ask<AskHandle>, found: unknown, result: AttemptResult): void {
    if (found === "rerun" || found === "stick") this.#finish(ask, "lookUp", result, { how: found });
    else if (typeof found === "object" && found !== null && "result" in found)
      this.#finishValue(ask, "lookUp", found.result, result);
    else if (typeof found === "object" && found !== null && "error" in found)
      this.#finish(ask, "lookUp", result, this.#failed(readable(found.error), { fatal: true }));
    else {
      const error = new EverstepError(
        "INVALID_ARGUMENT",
        `inDoubt of step ${ask.key} must answer { result }, { error }, "rerun" or "stick"`,
      );
      this.#finish(ask, "lookUp", result, this.#failed(error, { lookUp: true }));
    }
  }

  #failure(
    ask: Ask<AskHandle>,
    kind: Kind,
    result: AttemptResult & { readonly ok: false },
  ): FailedEnd | { readonly how: "interrupted" } {
    const { error, timedOut, aborted } = result;
    const fatal = kind !== "lookUp" && error instanceof FatalError;
    if (aborted && !timedOut && !fatal) return { how: "interrupted" };
    if (!fatal && kind === "step") this.#warn(ask, error);
    return this.#failed(error, { fatal, timedOut, lookUp: kind === "lookUp" });
  }

  /** Its author may have meant FatalError. */
  #warn(ask: Ask<AskHandle>, error: unknown): void {
    const failures = (ask.retry?.failures ?? 0) + 1;
    if (failures < WARN_FAILURES) return;
    const { runId, host } = this.#run;
    const last = toLog(sentenceOf(error), this.#run);
    host.logger.warn(
      `run ${runId}: step ${ask.key} failed ${failures} times, the last with: ${last}. It is tried again; throw FatalError to fail it for good.`,
    );
  }

  #failed(
    error: unknown,
    how: { readonly fatal?: boolean; readonly timedOut?: boolean; readonly lookUp?: boolean },
  ): FailedEnd {
    const notBefore = error instanceof RetryAfterError ? this.#instantOf(error) : undefined;
    return {
      how: "failed",
      error,
      message: error instanceof Error ? error.message : String(error),
      fatal: how.fatal ?? false,
      timedOut: how.timedOut ?? false,
      lookUp: how.lookUp ?? false,
      random: this.#run.host.clock.random(),
      ...(notBefore === undefined ? {} : { notBefore }),
    };
  }

  #instantOf(error: RetryAfterError): number | undefined {
    try {
      const { after } = error;
      const at =
        after instanceof Date
          ? after.getTime()
          : this.#run.host.now() + durationMs(after, "RetryAfterError.after");
      return Number.isNaN(at) ? undefined : Math.min(at, INSTANT_MAX);
    } catch {
      return undefined; // a senseless wish must not turn a retry into something else
    }
  }

  #stepEnded(ask: Ask<AskHandle>, end: AttemptEnd): void {
    const { machine, host } = this.#run;
    if (end.how === "completed") this.#progress = true;
    machine.stepEnded(ask, end, host.now());
    host.watch?.bodyEnded(this.#run, ask, "step", end);
  }

  #undoEnded(ask: Ask<AskHandle>, end: AttemptEnd): void {
    const { machine, host } = this.#run;
    if (end.how === "completed") machine.undos.completed(ask.key, host.now());
    else if (end.how === "failed" || end.how === "interrupted") machine.undos.failed(ask, end, host.now());
    host.watch?.bodyEnded(this.#run, ask, "undo", end);
  }

  #ended(ask: Ask<AskHandle>, end: () => AttemptEnd): void {
    this.#run.host.gate.ended();
    this.#gone();
    this.#record(() => this.#stepEnded(ask, end()));
  }

  /** While a transaction is under way, what else happens is recorded after it. */
  #record(change: () => void): void {
    if (this.#run.over) return;
    if (this.holding) this.#deferred.push(change);
    else this.#change(change);
    this.#run.wake();
  }

  /** Only a codec throws here. The body is over, so its outcome is unknown from now on. */
  #change(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#run.unwritable(error);
    }
  }

  async #transact(ask: Ask<AskHandle>, sql: (tx: unknown) => unknown): Promise<void> {
    const { host, machine, runId, attempt, values } = this.#run;
    let committed: NewEntry | undefined;
    this.holding = true;
    const outcome = await host.store.transact({
      worker: host.worker,
      runId,
      attempt,
      body: (tx) => scope.run({ run: this.#run, step: ask.key }, sql, tx),
      settle: (value) => {
        const text =
          value === undefined
            ? undefined
            : checkSize(
                values.toText(value, ask.key, `the result of step ${ask.key}`),
                host.maxPayloadBytes,
                `run ${runId}: the result of step ${ask.key}`,
              );
        committed = machine.journal.draftNext({ kind: "step", key: ask.key, value: text }, host.now());
        const settled = machine.asks.touched(ask.key) ? [ask.key] : [];
        return { entry: committed, settled, outbox: host.watch?.transacted(this.#run, committed) ?? [] };
      },
    });
    this.#transacted(ask, outcome.is === "done" ? committed : undefined);
  }

  #transacted(ask: Ask<AskHandle>, entry: NewEntry | undefined): void {
    this.#release();
    if (this.#run.over) return;
    if (entry === undefined || entry.seq !== this.#run.machine.journal.lastSeq + 1)
      return this.#run.abandon();
    this.#progress = true;
    this.#run.machine.stepTransacted(ask, entry);
    this.#run.host.watch?.bodyEnded(this.#run, ask, "step", { how: "completed", text: undefined });
    this.#resume();
  }

  #transactFailed(ask: Ask<AskHandle>, error: unknown): void {
    this.#release();
    if (this.#run.over) return;
    if (error instanceof StoreUnavailableError || error instanceof StoreError)
      return this.#run.storeLost(error);
    const fatal =
      error instanceof FatalError ||
      error instanceof SerializationError ||
      error instanceof PayloadTooLargeError ||
      error instanceof ValidationError;
    if (error instanceof InvalidArgumentError) {
      const text = `run ${this.#run.runId}: transaction ${ask.key}: ${error.message}. Fix the code, deploy, and resume the run.`;
      this.#run.machine.stick("BUG", text, this.#run.host.now(), ask.key);
    } else if (!fatal) this.#warn(ask, error);
    this.#change(() => this.#stepEnded(ask, this.#failed(error, { fatal })));
    this.#resume();
  }

  #release(): void {
    this.holding = false;
    this.#run.host.gate.ended();
    this.#gone();
  }

  #resume(): void {
    for (const change of this.#deferred.splice(0)) this.#change(change);
    this.#run.wake();
  }
}

function abortion(why: string): DOMException {
  return new DOMException(why, "AbortError");
}
