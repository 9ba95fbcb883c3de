/** The runs that one worker holds, its free slots, and the wait until all of them are let go. */
import type { Clock } from "../clock.ts";
import type { Activation } from "./activation.ts";

export class HeldRuns {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #held = new Map<string, Activation>();
  /** Runs that are gone, but whose body still lives here: not to be claimed again by us. */
  readonly #haunted = new Set<Activation>();
  readonly #emptied = new Set<() => void>();
  #reserved = 0;

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  [Symbol.iterator](): Iterator<Activation> {
    return this.#held.values();
  }

  get free(): number {
    return Math.max(0, this.#max - this.#held.size - this.#reserved);
  }

  /** Nothing is held, and no slot is kept for what is under way. */
  get isEmpty(): boolean {
    return this.#held.size === 0 && this.#reserved === 0;
  }

  get ids(): readonly string[] {
    return [...this.#held.keys()];
  }

  get haunted(): readonly string[] {
    return [...this.#haunted].map((activation) => activation.runId);
  }

  get(runId: string): Activation | undefined {
    return this.#held.get(runId);
  }

  has(runId: string): boolean {
    return this.#held.has(runId);
  }

  add(activation: Activation): void {
    this.#held.set(activation.runId, activation);
  }

  letGo(activation: Activation): void {
    this.#held.delete(activation.runId);
    if (activation.livingBodies > 0) this.#haunted.add(activation);
  }

  bodiesGone(activation: Activation): void {
    this.#haunted.delete(activation);
  }

  reserve(): void {
    this.#reserved += 1;
  }

  unreserve(): void {
    this.#reserved -= 1;
  }

  /** Resolves with true once nothing is held, false after `ms`. Whoever else waits meanwhile may be less patient. */
  empty(ms?: number): Promise<boolean> {
    if (this.isEmpty) return Promise.resolve(true);
    return new Promise((resolve) => {
      const emptied = (): void => {
        cancel?.();
        resolve(true);
      };
      const givenUp = (): void => {
        this.#emptied.delete(emptied);
        resolve(false);
      };
      const cancel = ms === undefined ? undefined : this.#clock.after(ms, givenUp);
      this.#emptied.add(emptied);
    });
  }

  /** Tells those who wait until nothing is held; answers whether there were any. */
  tellEmpty(): boolean {
    const told = this.#emptied.size > 0;
    for (const emptied of this.#emptied) emptied();
    this.#emptied.clear();
    return told;
  }
}
