/** Draws by a seed. */
import * as fc from "fast-check";
import { programs } from "../programs/generate.ts";
import type { Program } from "../programs/program.ts";

/** mulberry32 over a hash of the seed's text. */
export class Random {
  #state = 0x811c9dc5;

  constructor(seed: string) {
    for (const letter of seed)
      this.#state = Math.imul(this.#state ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number from 1 on. */
  upTo(most: number): number {
    return 1 + Math.floor(this.next() * most);
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[Math.floor(this.next() * list.length)] ?? list[0];
  }
}

/** So many programs, drawn by the seed. */
export function samplePrograms(count: number, seed: string): readonly Program[] {
  return fc.sample(programs, { numRuns: count, seed: new Random(seed).upTo(2 ** 31) });
}
