/** Brings what is in the outbox to where the program wants it: at least once, without end, and never in the way of a run. */
import type { Clock } from "../clock.ts";
import type { Duration, Logger } from "../context.ts";
import { InvalidArgumentError, StoreUnavailableError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import { readable } from "../engine/error-data.ts";
import type { OutboxRow, Store } from "../store.ts";
import { shippedEventsOf } from "./outbox-events.ts";
import type { ShippedEvent } from "./shipped-events.ts";

export interface OutboxOptions {
  /**
   * Brings events to where they are to go; they are forgotten when it resolves. When it rejects, the same ones come again, later and
   * later, without end. One that comes twice has the same `id`. Without it they are stored, for a worker that ships or for `outboxEvents`.
   */
  readonly ship?: (events: readonly ShippedEvent[]) => Promise<unknown>;
  /** At most so many at once; default 100. */
  readonly batch?: number;
  /** How long `ship` may take before another worker is given the same events; default 1 m. */
  readonly patience?: Duration;
}

const BATCH = 100;
const PATIENCE = "1m";
/** Others may have left something: so often it is looked for without a reason. */
const LOOK_MS = 10_000;
const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 60_000;

export interface ShipperSetup {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Ship = NonNullable<OutboxOptions["ship"]>;

export class OutboxShipper {
  readonly #setup: ShipperSetup;
  readonly #ship: Ship | undefined;
  readonly #limit: number;
  readonly #forMs: number;
  readonly #waiting = new Set<() => void>();
  /** Taken, and not arrived yet. */
  #rows: readonly OutboxRow[] = [];
  #takenAt = 0;
  #busy = false;
  #again = false;
  #stopped = false;
  #failures = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(setup: ShipperSetup, { ship, batch = BATCH, patience = PATIENCE }: OutboxOptions) {
    if (!Number.isInteger(batch) || batch < 1)
      throw new InvalidArgumentError(
        `batch of the outbox must be a whole number of at least 1, not ${batch}`,
      );
    this.#setup = setup;
    this.#ship = ship;
    this.#limit = batch;
    this.#forMs = durationMs(patience, "patience of the outbox");
  }

  /** Something may be there. After a failure it has to wait all the same. */
  soon(): void {
    if (this.#stopped || this.#ship === undefined) return;
    this.#again = true;
    if (!this.#busy && this.#failures === 0) this.#begin(this.#ship);
  }

  /** Resolves when all that is known of has arrived, when a try failed, or after `ms`. */
  emptied(ms?: number): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel?.();
        this.#waiting.delete(done);
        resolve();
      };
      const cancel = ms === undefined ? undefined : this.#setup.clock.after(ms, done);
      this.#waiting.add(done);
    });
  }

  /** Begins no other batch. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  #begin(ship: Ship): void {
    this.#busy = true;
    this.#cancelTimer?.();
    this.#setup.clock.macrotask(() => {
      this.#shipAll(ship)
        .then(
          () => LOOK_MS,
          (error: unknown) => this.#failed(error),
        )
        .then(
          (nextMs) => this.#rest(ship, nextMs),
          () => {},
        );
    });
  }

  async #shipAll(ship: Ship): Promise<void> {
    const { store, clock } = this.#setup;
    while (!this.#stopped) {
      this.#again = false;
      // Taken too long ago: another worker has them, or will.
      if (clock.monotonic() - this.#takenAt >= this.#forMs) this.#rows = [];
      const kept = this.#rows.length > 0;
      if (!kept) {
        this.#takenAt = clock.monotonic();
        this.#rows = await store.takeOutbox({ limit: this.#limit, forMs: this.#forMs });
      }
      const rows = this.#rows;
      if (rows.length > 0) {
        await this.#inTime(ship(shippedEventsOf(rows)));
        await store.commit({ writes: [{ kind: "shipped", nos: rows.map(({ no }) => no) }] });
        this.#rows = [];
      }
      this.#failures = 0;
      // Rows kept from a failed try say nothing of what was written since.
      if (!kept && rows.length < this.#limit && !this.#again) return;
    }
  }

  #inTime(shipped: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const cancel = this.#setup.clock.after(
        this.#forMs,
        () => reject(new Error(`ship took longer than ${this.#forMs} ms`)),
        { unref: true },
      );
      Promise.resolve(shipped).then(resolve, reject).finally(cancel);
    });
  }

  #failed(error: unknown): number {
    this.#failures += 1;
    if (!(error instanceof StoreUnavailableError) && this.#failures === 1 && !this.#stopped)
      this.#setup.logger.warn(
        `what is in the outbox can't be shipped; it is tried again until it can: ${String(readable(error))}`,
      );
    const boundMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1));
    return boundMs * (0.5 + this.#setup.clock.random() / 2);
  }

  #rest(ship: Ship, ms: number): void {
    this.#busy = false;
    for (const done of this.#waiting) done();
    if (!this.#stopped)
      this.#cancelTimer = this.#setup.clock.after(ms, () => this.#begin(ship), { unref: true });
  }
}

/**
 * What is in the outbox, batch after batch, until it is empty: for programs that ship by other means than a worker's `outbox: { ship }`.
 * A batch is forgotten when the next one is asked for; what is left of it when the loop is left early comes again, a minute later.
 */
export async function* outboxEvents(
  store: Pick<Store, "takeOutbox" | "commit">,
  options: Pick<OutboxOptions, "batch" | "patience"> = {},
): AsyncGenerator<readonly ShippedEvent[], void, undefined> {
  const limit = options.batch ?? BATCH;
  const forMs = durationMs(options.patience ?? PATIENCE, "patience of the outbox");
  for (;;) {
    const rows = await store.takeOutbox({ limit, forMs });
    if (rows.length === 0) return;
    yield shippedEventsOf(rows);
    await store.commit({ writes: [{ kind: "shipped", nos: rows.map(({ no }) => no) }] });
  }
}
