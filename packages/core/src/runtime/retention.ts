/** Purges runs that ended longer ago than their workflow keeps them: small batches, so that nothing waits for it. */
import type { Clock } from "../clock.ts";
import type { Duration, Logger } from "../context.ts";
import { StoreUnavailableError } from "../errors.ts";
import type { EndStatus } from "../store.ts";
import type { Workflow } from "../definition.ts";
import { purgeEnded, type Purger } from "./repair/purging.ts";

const EVERY_MS = 60_000;
/** When a batch was full there is more: the next one then comes so soon. */
const AGAIN_MS = 1000;
const BATCH = 100;
/** Those that must stay, for a run that called them lives, are passed over in the hope of others: not of all there are each minute. */
const LOOK_AT_MAX = 1000;

const ENDS: readonly EndStatus[] = ["completed", "failed", "canceled"];

interface Rule {
  readonly workflow: string;
  readonly version: string;
  readonly status: readonly EndStatus[];
  readonly olderThan: Duration;
}

export interface RetentionSetup extends Purger {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly workflows: readonly Workflow[];
}

export class Retention {
  readonly #setup: RetentionSetup;
  readonly #rules: readonly Rule[];
  #stopped = false;
  #cancelTimer: (() => void) | undefined;

  constructor(setup: RetentionSetup) {
    this.#setup = setup;
    this.#rules = setup.workflows.flatMap(rulesOf);
  }

  /** Workers that were started together do not purge together. */
  start(): void {
    if (this.#rules.length > 0) this.#in(EVERY_MS * this.#setup.clock.random());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  #in(ms: number): void {
    if (this.#stopped) return;
    const purge = (): void => {
      this.#purge().then(
        (more) => this.#in(more ? AGAIN_MS : EVERY_MS),
        (error: unknown) => this.#failed(error),
      );
    };
    this.#cancelTimer = this.#setup.clock.after(ms, purge, { unref: true });
  }

  #failed(error: unknown): void {
    if (!(error instanceof StoreUnavailableError) && !this.#stopped)
      this.#setup.logger.error(`runs that are kept no longer can't be purged: ${String(error)}`);
    this.#in(EVERY_MS);
  }

  /** One batch by each rule; answers whether there is more. */
  async #purge(): Promise<boolean> {
    let more = false;
    for (const rule of this.#rules) {
      if (this.#stopped) return false;
      const { purged } = await purgeEnded(this.#setup, rule, { limit: BATCH, lookAt: LOOK_AT_MAX });
      if (purged >= BATCH) more = true;
    }
    return more;
  }
}

function rulesOf({ name: workflow, version, options: { retention } }: Workflow): readonly Rule[] {
  if (retention === undefined) return [];
  if (typeof retention !== "object") return [{ workflow, version, status: ENDS, olderThan: retention }];
  return ENDS.flatMap((status) => {
    const olderThan = retention[status];
    return olderThan === undefined ? [] : [{ workflow, version, status: [status], olderThan }];
  });
}
