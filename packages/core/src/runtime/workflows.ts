import { checkName } from "../engine/names.ts";
import { listed } from "../engine/repair.ts";
import { valuesOf } from "../engine/values.ts";
import { InvalidArgumentError, StoreError } from "../errors.ts";
import type { RunStatus, WorkflowSpec } from "../store.ts";
import type { ClientCore } from "./client-core.ts";
import {
  noteText,
  type OrderOptions,
  orderOf,
  type PauseReport,
  pauseReport,
  workflowNoteId,
} from "./notes.ts";
import type { BulkOptions, BulkResult } from "./repair/selection.ts";
import type { CancelOptions, Runs } from "./runs.ts";

/** One version of a workflow, as workers told the store of it. */
export interface WorkflowReport extends WorkflowSpec {
  /** When a worker had it for the first time. */
  readonly since: Date;
  /** The version that is meant where only the name is given, and the only one that listens to events. */
  readonly current: boolean;
  readonly liveWorkers: number;
  /** Of all versions alike. */
  readonly paused: PauseReport | null;
}

const LIVE: readonly RunStatus[] = ["ready", "running", "waiting", "compensating", "stuck"];

/** `client.workflows`: what workers have, and all runs of a workflow together. */
export class Workflows {
  readonly #core: ClientCore;
  readonly #runs: Runs;

  constructor(core: ClientCore, runs: Runs) {
    this.#core = core;
    this.#runs = runs;
  }

  /** Every version of every workflow that a worker ever had. */
  async list(): Promise<readonly WorkflowReport[]> {
    const records = await this.#core.store.workflows();
    return records.map(({ since, paused, ...record }) => ({
      ...record,
      since: new Date(since),
      paused: pauseReport(paused, valuesOf(workflowNoteId(record.name), this.#core.codec)),
    }));
  }

  /**
   * None of its runs is taken on by a worker until it is resumed, whenever they are started; runs that are executed are let go of once
   * their bodies are over. Workers hear of it within seconds. Throws `InvalidArgumentError` for a name that neither workers nor runs have.
   */
  async pause(name: string, options: OrderOptions = {}): Promise<void> {
    await this.#checkKnown(name);
    const values = valuesOf(workflowNoteId(name), this.#core.codec);
    return this.#write(name, noteText(orderOf(options), values));
  }

  /** Its runs go on; those that are paused by themselves stay so. */
  async resume(name: string): Promise<void> {
    await this.#checkKnown(name);
    return this.#write(name, null);
  }

  /** Orders all its runs to be canceled that have not ended; one that is started meanwhile is not touched. */
  async cancel(name: string, options: CancelOptions & BulkOptions = {}): Promise<BulkResult> {
    await this.#checkKnown(name);
    return this.#runs.cancel({ workflow: name, status: LIVE }, options);
  }

  /** A misspelt name would stop nothing, and nobody would be told. */
  async #checkKnown(name: string): Promise<void> {
    checkName("workflow", name);
    const { store } = this.#core;
    const names = new Set((await store.workflows()).map((record) => record.name));
    if (names.has(name) || (await store.count({ workflow: name })) > 0) return;
    throw new InvalidArgumentError(
      `no worker ever had a workflow ${name}, and no run is one of it; there is ${listed([...names])}`,
    );
  }

  async #write(workflow: string, note: string | null): Promise<void> {
    const outcome = await this.#core.write({ kind: "pause-workflow", workflow, note });
    if (outcome.is !== "done")
      throw new StoreError(`workflow ${workflow}: the store refused to pause or resume it: ${outcome.is}`);
  }
}
