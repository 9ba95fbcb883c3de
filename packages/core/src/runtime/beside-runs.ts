/** What a worker does beside executing runs: tells its observer, ships its outbox, purges what is kept no longer. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";
import type { Outcome, Store, Write } from "../store.ts";
import type { Workflow } from "../definition.ts";
import { ObserverFeed } from "./observer-feed.ts";
import { OutboxShipper } from "./outbox-shipper.ts";
import { Retention } from "./retention.ts";
import { Watch } from "./watch.ts";
import type { WorkerOptions } from "./worker.ts";

/** What an observer gets to hear of the last events before a worker is gone. */
const TELL_MS = 1000;

/** What it needs of its worker. */
export interface BesideHost {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The store's clock. */
  now(): number;
  /** Beside the writes of its runs. Durable when it settles. */
  write(write: Write): Promise<Outcome>;
}

export class BesideRuns {
  /** Undefined when nobody wants to know: then nothing is measured. */
  readonly watch: Watch | undefined;
  readonly #feed: ObserverFeed | undefined;
  readonly #shipper: OutboxShipper | undefined;
  readonly #retention: Retention;

  constructor(
    host: BesideHost,
    { observer, outbox }: Pick<WorkerOptions, "observer" | "outbox">,
    workflows: readonly Workflow[],
  ) {
    const { store, clock, logger } = host;
    const now = (): number => host.now();
    const write = (one: Write): Promise<Outcome> => host.write(one);
    if (outbox !== undefined)
      this.#shipper = new OutboxShipper({ store, clock, logger }, outbox === true ? {} : outbox);
    if (observer !== undefined) this.#feed = new ObserverFeed(observer, clock, logger);
    if (observer !== undefined || outbox !== undefined)
      this.watch = new Watch({
        feed: this.#feed,
        outbox: outbox !== undefined,
        posted: () => this.#shipper?.soon(),
        now,
      });
    this.#retention = new Retention({ store, clock, logger, workflows, write });
  }

  start(): void {
    this.#shipper?.soon();
    this.#retention.start();
  }

  /** Resolves when all that was written to the outbox has arrived, or a try failed. */
  async shipped(): Promise<void> {
    await this.#shipper?.emptied();
  }

  /** Resolves when the observer has heard all, but does not wait for one that is slow. */
  async told(): Promise<void> {
    await this.#feed?.told(TELL_MS);
  }

  /** What the last runs wrote is still shipped, for at most `ms`. */
  async stop(ms: number): Promise<void> {
    this.#retention.stop();
    await this.#shipper?.emptied(ms);
    this.#shipper?.stop();
  }
}
