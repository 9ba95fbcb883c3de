import type { Clock } from "../clock.ts";
import type { Duration, Logger } from "../context.ts";
import { durationMs } from "../engine/duration.ts";
import type { Codec } from "../engine/values.ts";
import type { Store } from "../store.ts";
import type { AnyWorkflow } from "../definition.ts";
import type { OutboxOptions } from "./outbox-shipper.ts";
import type { Observer } from "./run-events.ts";
import { onStopSignals } from "./stop-signals.ts";
import { type IdleOptions, type IdleReport, untilIdle } from "./until-idle.ts";
import { WorkerCore } from "./worker-core.ts";

export interface WorkerOptions<Tx = unknown> {
  readonly store: Store<Tx>;
  readonly workflows: readonly AnyWorkflow[];
  /** Runs in memory at a time; default 100. Parked runs do not count. */
  readonly concurrency?: number;
  /** How long the store keeps a silent worker's runs for it; default 15 s. A dead process is noticed sooner where the store can. */
  readonly lease?: Duration;
  /** A step whose result is larger fails for good, and a run whose result is larger is stuck; default 1 MiB. */
  readonly maxPayloadBytes?: number;
  readonly codec?: Codec;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /**
   * Signals on which the worker stops by itself with `stopGrace`, such as `["SIGTERM", "SIGINT"]`; the process then dies of the
   * signal, unless the program listens to it too. Default: none.
   */
  readonly stopOn?: readonly NodeJS.Signals[];
  /** Default 10 s. */
  readonly stopGrace?: Duration;
  /**
   * A body that ignores its signal for so long after its run was canceled, failed or timed out is given up: what the run did is undone beside
   * it, and nothing it comes to is written. Default 30 s.
   */
  readonly abortGrace?: Duration;
  /** Told what becomes of this worker's runs and their steps. It can neither fail nor slow them. */
  readonly observer?: Observer;
  /**
   * Events of this worker's runs and steps are stored in the transactions that they tell of: what happened is told, at least once, also when
   * this process dies in between. Without inputs and results. All workers of one store should have it, or none.
   */
  readonly outbox?: true | OutboxOptions;
}

export interface StopOptions {
  /** How long bodies may go on before they are aborted; default: the worker's `stopGrace`. */
  readonly grace?: Duration;
}

/** Executes runs of its workflows: any number of workers share one store. */
export class Worker<Tx = unknown> implements AsyncDisposable {
  readonly #core: WorkerCore;
  readonly #stopOn: readonly NodeJS.Signals[];
  readonly #stopGraceMs: number;
  #offSignals: (() => void) | undefined;
  #stopped = false;

  constructor(options: WorkerOptions<Tx>) {
    this.#core = new WorkerCore(options);
    this.#stopOn = options.stopOn ?? [];
    this.#stopGraceMs = durationMs(options.stopGrace ?? "10s", "stopGrace");
  }

  /** Joins the store and begins to claim runs. Waits for a store that is out; throws `StoreError` for one that can't be used. */
  async start(): Promise<void> {
    await this.#core.start();
    if (!this.#stopped)
      this.#offSignals = onStopSignals(this.#stopOn, () => this.#core.stop(this.#stopGraceMs));
  }

  /**
   * Claims no more and lets go of all runs: idle ones at once, others when their bodies are over, and after `grace` bodies are
   * aborted. An interruption uses up no attempt; another worker goes on with the runs at once. Answers with the ids of the runs
   * whose body ignored that and still lives: they stay owned until it settles or the process ends.
   */
  async stop({ grace }: StopOptions = {}): Promise<readonly string[]> {
    return this.#stop({ graceMs: grace === undefined ? this.#stopGraceMs : durationMs(grace, "grace") });
  }

  /**
   * For cron jobs, serverless functions and scripts: starts, executes what is due, and stops once nothing is, or early enough that it is
   * over within `for`; bodies that execute then get what is left. To be called once per worker, on a new one each time. Throws
   * `StoreUnavailableError` when the store did not answer within `for`.
   */
  runUntilIdle(options: IdleOptions = {}): Promise<IdleReport> {
    const life = {
      start: () => this.start(),
      stop: (limits = { graceMs: this.#stopGraceMs }) => this.#stop(limits),
    };
    return untilIdle(this.#core, life, options);
  }

  #stop(limits: { readonly graceMs: number; readonly abortMs?: number }): Promise<readonly string[]> {
    this.#stopped = true;
    this.#offSignals?.();
    return this.#core.stop(limits.graceMs, limits.abortMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
