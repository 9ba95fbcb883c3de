/** Purges runs that ended longer ago than their workflow keeps them: small batches, so that nothing waits for it. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";
import { StoreUnavailableError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import type { EndStatus, Store } from "../store.ts";
import type { Workflow } from "../workflow.ts";

const EVERY_MS = 60_000;
/** When a batch was full there is more: at most so many a second. */
const AGAIN_MS = 1000;
const BATCH = 100;
/** Runs that can't go yet, as their parent is there, must not be in the way of others for ever. */
const PAGES_MAX = 10;

const STATUSES: readonly EndStatus[] = ["completed", "failed", "canceled"];

interface Rule {
  readonly workflow: string;
  readonly version: string;
  readonly status: EndStatus;
  readonly keepMs: number;
}

export interface RetentionSetup {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly workflows: readonly Workflow[];
  /** The store's clock. */
  readonly now: () => number;
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

  /** One batch of each rule; answers whether there may be more. */
  async #purge(): Promise<boolean> {
    let more = false;
    for (const rule of this.#rules) if (!this.#stopped && (await this.#purgeBy(rule))) more = true;
    return more;
  }

  async #purgeBy({ workflow, version, status, keepMs }: Rule): Promise<boolean> {
    const { store, now } = this.#setup;
    const filter = { workflow, version, status, endedBefore: now() - keepMs };
    let after: string | undefined;
    for (let pages = 0; pages < PAGES_MAX && !this.#stopped; pages++) {
      const page = await store.list(filter, {
        limit: BATCH,
        order: "oldest",
        ...(after === undefined ? {} : { after }),
      });
      if (page.runs.length === 0) return false;
      const outcomes = await store.commit({
        writes: page.runs.map(({ id }) => ({ kind: "purge", runId: id })),
      });
      if (page.next === null) return false;
      if (outcomes.some(({ is }) => is === "done")) return true;
      after = page.next;
    }
    return false;
  }
}

function rulesOf({ name, version, options: { retention } }: Workflow): readonly Rule[] {
  if (retention === undefined) return [];
  const what = `retention of workflow ${name}`;
  return STATUSES.flatMap((status) => {
    const keep = typeof retention === "object" ? retention[status] : retention;
    return keep === undefined ? [] : [{ workflow: name, version, status, keepMs: durationMs(keep, what) }];
  });
}
