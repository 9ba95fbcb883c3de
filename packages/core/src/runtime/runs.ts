import type { AnyWorkflow } from "../definition.ts";
import { InvalidArgumentError } from "../errors.ts";
import { checkRunId } from "../engine/names.ts";
import type { Resolution } from "../engine/resolution.ts";
import { valuesOf } from "../engine/values.ts";
import type { RunDetails, RunFilter } from "../store.ts";
import { orderCancel } from "./cancel-order.ts";
import { type ClientCore, detailsOf } from "./client-core.ts";
import { checkFilter, checkLimit } from "./filters.ts";
import { type OrderOptions, orderOf } from "./notes.ts";
import { fork, type ForkOptions } from "./repair/forking.ts";
import { operate, resolve, retry, rewind } from "./repair/mending.ts";
import { move, type MoveOptions, replay } from "./repair/moving.ts";
import { type Purged, purgeEnded, type PurgeFilter, purgeOne } from "./repair/purging.ts";
import { type BulkOptions, type BulkResult, eachRun } from "./repair/selection.ts";
import { exportRun, type ExportedRun, importRun } from "./repair/transfer.ts";
import type { Replay } from "./replay-stage.ts";
import { RunHandle } from "./run-handle.ts";
import { reportOf, type RunReport, type RunSummary, summaryOf } from "./run-report.ts";
import { type Called, calledBy, whyOf } from "./why.ts";

export interface ListOptions extends RunFilter {
  /** Default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
  readonly order?: "newest" | "oldest";
}

/** What a person knows of a step: give one of them. */
export interface ResolveOptions extends OrderOptions {
  /** What the step came to, at the other side: it is not run again. */
  readonly result?: unknown;
  /** It failed: the code gets a `StepFailedError`, as if its body had thrown a `FatalError`. */
  readonly error?: unknown;
  /** It is run again, under the same idempotency key. */
  readonly rerun?: true;
}

export interface CancelOptions extends OrderOptions {
  /** Default true: what the runs did is undone. */
  readonly compensate?: boolean;
}

type Bulk<T> = T & BulkOptions;

/**
 * `client.runs`: looking at runs, and mending them. Each operation takes the id of one run, and throws `RunNotFoundError` or `RunStateError`
 * when it does not fit; or a filter: then it is done to every run that the filter finds and that it fits, and the answer names the others.
 * Who did it and why becomes an entry of each run's journal. Nothing of what a run did is ever deleted, but by `purge`.
 */
export class Runs {
  readonly #core: ClientCore;

  constructor(core: ClientCore) {
    this.#core = core;
  }

  async list(
    options: ListOptions = {},
  ): Promise<{ readonly runs: readonly RunSummary[]; readonly next: string | null }> {
    const { limit = 100, after, order, ...filter } = options;
    checkFilter(filter);
    checkLimit(limit);
    const page = await this.#core.store.list(filter, {
      limit,
      ...(after === undefined ? {} : { after }),
      ...(order === undefined ? {} : { order }),
    });
    return { runs: page.runs.map((run) => summaryOf(run, page.now, this.#core.codec)), next: page.next };
  }

  async count(filter: RunFilter = {}): Promise<number> {
    checkFilter(filter);
    return this.#core.store.count(filter);
  }

  /** Everything stored of one run, decoded. Throws `RunNotFoundError`, and `DecodingError` without the right codec. */
  async read(id: string): Promise<RunReport> {
    return reportOf(await detailsOf(this.#core, id), this.#core.codec);
  }

  /** One paragraph: what the run waits for, since when, until when, what to do. */
  async why(id: string): Promise<string> {
    const details = await detailsOf(this.#core, id);
    return whyOf(details, valuesOf(id, this.#core.codec), await this.#children(details));
  }

  /** A stuck or paused run goes on where it was; used-up retries begin anew. */
  resume(id: string, options?: OrderOptions): Promise<void>;
  resume(filter: RunFilter, options?: Bulk<OrderOptions>): Promise<BulkResult>;
  async resume(which: string | RunFilter, options: Bulk<OrderOptions> = {}): Promise<BulkResult | void> {
    return this.#each(which, options, (id) => operate(this.#core, id, "resume", options));
  }

  /**
   * No worker takes the run on until it is resumed. One that is executed now is let go of once the bodies that execute are over; until then
   * its status is `running`. Signals are kept, timers are late. A cancel ends the pause.
   */
  pause(id: string, options?: OrderOptions): Promise<void>;
  pause(filter: RunFilter, options?: Bulk<OrderOptions>): Promise<BulkResult>;
  async pause(which: string | RunFilter, options: Bulk<OrderOptions> = {}): Promise<BulkResult | void> {
    return this.#each(which, options, (id) => operate(this.#core, id, "pause", options));
  }

  /** Durably orders the run to be canceled, as `RunHandle.cancel` does. A canceled run is fine; `RunEndedError` for one that ended otherwise. */
  cancel(id: string, options?: CancelOptions): Promise<void>;
  cancel(filter: RunFilter, options?: Bulk<CancelOptions>): Promise<BulkResult>;
  async cancel(which: string | RunFilter, options: Bulk<CancelOptions> = {}): Promise<BulkResult | void> {
    const { by, because } = orderOf(options);
    const order = { compensate: options.compensate, reason: because ?? undefined, by };
    return this.#each(which, options, (id) => orderCancel(this.#core, id, order));
  }

  /**
   * A failed or canceled run goes on from the step that failed (from `from`, when it is given; in any case from the earliest step that was
   * undone). What succeeded and was not undone is not done again. What is done again has a new idempotency key where its outcome was known.
   */
  retry(id: string, options?: OrderOptions & { readonly from?: string }): Promise<void>;
  retry(filter: RunFilter, options?: Bulk<OrderOptions & { readonly from?: string }>): Promise<BulkResult>;
  async retry(
    which: string | RunFilter,
    options: Bulk<OrderOptions & { readonly from?: string }> = {},
  ): Promise<BulkResult | void> {
    return this.#each(which, options, (id) => retry(this.#core, id, options));
  }

  /**
   * A run that has ended, is stuck or is paused goes back to before the step `to`: that step and all that came after it is done again, under
   * new idempotency keys. `InvalidArgumentError` lists the steps there are.
   */
  rewind(id: string, options: OrderOptions & { readonly to: string }): Promise<void>;
  rewind(filter: RunFilter, options: Bulk<OrderOptions & { readonly to: string }>): Promise<BulkResult>;
  async rewind(
    which: string | RunFilter,
    options: Bulk<OrderOptions & { readonly to: string }>,
  ): Promise<BulkResult | void> {
    return this.#each(which, options, (id) => rewind(this.#core, id, options));
  }

  /** A new run, of the same input, that has done all that the run `id` did before its step `from`, and goes its own way from there. The run `id` is not changed. */
  async fork<O = unknown>(id: string, options: ForkOptions): Promise<RunHandle<O>> {
    return new RunHandle<O>(this.#core, await fork(this.#core, id, options));
  }

  /** Settles a step that has no outcome yet: of a run that is stuck, paused or waiting. Of a run that is being undone, a compensation. */
  resolve(id: string, step: string, options: ResolveOptions): Promise<void>;
  resolve(filter: RunFilter, step: string, options: Bulk<ResolveOptions>): Promise<BulkResult>;
  async resolve(
    which: string | RunFilter,
    step: string,
    options: Bulk<ResolveOptions>,
  ): Promise<BulkResult | void> {
    const resolution = resolutionOf(options);
    return this.#each(which, options, (id) => resolve(this.#core, id, { ...options, step, resolution }));
  }

  /** The step comes to `undefined` without being run; or the compensation counts as done. */
  skip(id: string, step: string, options?: OrderOptions): Promise<void>;
  skip(filter: RunFilter, step: string, options?: Bulk<OrderOptions>): Promise<BulkResult>;
  async skip(
    which: string | RunFilter,
    step: string,
    options: Bulk<OrderOptions> = {},
  ): Promise<BulkResult | void> {
    const resolution = { as: "skip" } as const;
    return this.#each(which, options, (id) => resolve(this.#core, id, { ...options, step, resolution }));
  }

  /**
   * The run is one of another version from now on, if a replay of its journal with that code goes through; no body is called for that. Throws
   * `RunStateError` with the place where it diverged.
   */
  move(id: string, options: MoveOptions): Promise<void>;
  move(filter: RunFilter, options: Bulk<MoveOptions>): Promise<BulkResult>;
  async move(which: string | RunFilter, options: Bulk<MoveOptions>): Promise<BulkResult | void> {
    return this.#each(which, options, (id) => move(this.#core, id, options));
  }

  /**
   * What would come of the run with this code: its journal is replayed; no body is called, and nothing is written. Before a deploy, to learn which
   * runs it would leave stuck; also with another version than the run's, as `move` does.
   */
  replay(id: string, workflow: AnyWorkflow): Promise<Replay> {
    return replay(this.#core, id, workflow);
  }

  /** Forgets an ended run for good, and all that it called; or those that ended long enough ago. Their ids stay taken for 90 days. */
  purge(id: string): Promise<void>;
  purge(filter: PurgeFilter, options?: BulkOptions): Promise<Purged>;
  async purge(which: string | PurgeFilter, options: BulkOptions = {}): Promise<Purged | void> {
    if (typeof which !== "string") return purgeEnded(this.#core, which, options);
    checkRunId(which);
    return purgeOne(this.#core, which);
  }

  /** The run as plain JSON. What the codec sealed stays sealed. */
  export(id: string): Promise<ExportedRun> {
    return exportRun(this.#core, id);
  }

  /**
   * Puts an exported run (or its JSON text) into this store, under its own id. Throws `RunConflictError` when that is taken, and
   * `RunStateError` when it waits for a child that is not here: import that one first.
   */
  async import<O = unknown>(data: unknown): Promise<RunHandle<O>> {
    return new RunHandle<O>(this.#core, await importRun(this.#core, data));
  }

  #each(
    which: string | RunFilter,
    options: BulkOptions,
    act: (id: string) => Promise<void>,
  ): Promise<BulkResult | void> {
    if (typeof which === "string") return act(which);
    return eachRun(this.#core.store, which, options, act);
  }

  /** Those that it waits for. */
  async #children(details: RunDetails): Promise<Called> {
    const { store, codec } = this.#core;
    const ids = calledBy(details, valuesOf(details.run.id, codec));
    if (ids.length === 0) return { runs: [], workflows: [] };
    const [{ runs }, workflows] = await Promise.all([
      store.list({ ids }, { limit: ids.length }),
      store.workflows(),
    ]);
    return { runs, workflows };
  }
}

function resolutionOf(options: ResolveOptions): Resolution {
  const given = (["result", "error", "rerun"] as const).filter((way) => Object.hasOwn(options, way));
  if (given.length !== 1)
    throw new InvalidArgumentError(
      "say what became of the step: one of { result }, { error } and { rerun: true }",
    );
  if (given[0] === "result") return { as: "result", value: options.result };
  return given[0] === "error" ? { as: "error", error: options.error } : { as: "rerun" };
}
