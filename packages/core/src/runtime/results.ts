/** Waits for the end of runs: told by a worker of this process, or asked of the store for all of them together. */
import type { Clock } from "../clock.ts";
import { StoreUnavailableError } from "../errors.ts";
import type { EndStatus, Hint, Store } from "../store.ts";

export interface RunEnd {
  readonly status: EndStatus;
  /** Encoded. */
  readonly result: string | undefined;
  readonly error: string | undefined;
}

type Waiter = (end: RunEnd | "not-found" | Error) => void;

/** Hints come with every commit of another process: asked for no more often than this. */
const ASK_EVERY_MS = 25;
/** Without any hint. */
const POLL_MS = 1000;
const PAGE = 500;

export class Results {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #isLocal: (runId: string) => boolean;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #unwatch: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #timerAt = 0;
  #asking = false;

  constructor(store: Store, clock: Clock, isLocal: (runId: string) => boolean) {
    this.#store = store;
    this.#clock = clock;
    this.#isLocal = isLocal;
  }

  /** Calls back once; the answer cancels. */
  wait(runId: string, waiter: Waiter): () => void {
    const waiters = this.#waiters.get(runId) ?? new Set();
    this.#waiters.set(runId, waiters.add(waiter));
    this.#unwatch ??= this.#store.watch((hint) => this.#hinted(hint), "ends");
    this.#askIn(this.#isLocal(runId) ? POLL_MS : 0);
    return () => {
      waiters.delete(waiter);
      this.#forgetIfEmpty(runId);
    };
  }

  /** A run ended in this process, durably. */
  ended(runId: string, end: RunEnd): void {
    this.#answer(runId, end);
  }

  #answer(runId: string, end: Parameters<Waiter>[0]): void {
    const waiters = this.#waiters.get(runId);
    if (waiters === undefined) return;
    this.#waiters.delete(runId);
    this.#forgetIfEmpty(runId);
    for (const waiter of waiters) waiter(end);
  }

  #forgetIfEmpty(runId: string): void {
    if (this.#waiters.get(runId)?.size === 0) this.#waiters.delete(runId);
    if (this.#waiters.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #hinted(hint: Hint): void {
    if (hint.runIds === undefined || hint.runIds.some((id) => this.#waiters.has(id) && !this.#isLocal(id)))
      this.#askIn(ASK_EVERY_MS);
  }

  #askIn(ms: number): void {
    const at = this.#clock.monotonic() + ms;
    if (this.#cancelTimer !== undefined && this.#timerAt <= at) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(ms, () => {
      this.#cancelTimer = undefined;
      void this.#ask().catch((error: unknown) => this.#unusable(error));
    });
  }

  /** Only a person can help: nobody is left waiting for what can't be asked. */
  #unusable(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    for (const runId of Array.from(this.#waiters.keys())) this.#answer(runId, reason);
  }

  /** One question for all runs that are waited for. */
  async #ask(): Promise<void> {
    if (this.#asking) return this.#askIn(ASK_EVERY_MS);
    this.#asking = true;
    try {
      const ids = [...this.#waiters.keys()];
      for (let from = 0; from < ids.length; from += PAGE) await this.#askFor(ids.slice(from, from + PAGE));
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
    } finally {
      this.#asking = false;
      if (this.#waiters.size > 0) this.#askIn(POLL_MS);
    }
  }

  async #askFor(ids: readonly string[]): Promise<void> {
    const { runs } = await this.#store.list({ ids }, { limit: ids.length });
    const found = new Set<string>();
    for (const run of runs) {
      found.add(run.id);
      if (run.end !== null)
        this.#answer(run.id, {
          status: run.end,
          result: run.result ?? undefined,
          error: run.error ?? undefined,
        });
    }
    for (const id of ids) if (!found.has(id)) this.#answer(id, "not-found");
  }
}
