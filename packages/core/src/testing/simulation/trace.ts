/** What happened in a simulation, in order: the same seed has the same trace. */
import { hash } from "node:crypto";
import type { Clock } from "../../clock.ts";

/** Ids that no seed draws: each is known by when it first appeared. */
const RANDOM_ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

export class Trace {
  readonly #clock: Clock;
  readonly #isKept: boolean;
  readonly #ids = new Map<string, string>();
  readonly lines: string[] = [];

  constructor(clock: Clock, isKept: boolean) {
    this.#clock = clock;
    this.#isKept = isKept;
  }

  add(what: string): void {
    if (!this.#isKept) return;
    const named = what.replace(RANDOM_ID, (id) => {
      const known = this.#ids.get(id) ?? `id-${this.#ids.size + 1}`;
      this.#ids.set(id, known);
      return known;
    });
    this.lines.push(`${this.#clock.monotonic().toFixed(3)} ${named}`);
  }

  get hash(): string {
    return hash("sha256", this.lines.join("\n")).slice(0, 16);
  }
}
