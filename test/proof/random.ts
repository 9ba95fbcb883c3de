/** Draws that a seed repeats (mulberry32). Real processes still race each other: the seed repeats the plan, not the outcome. */
export class Random {
  #state: number;

  constructor(seed: number | string) {
    this.#state = typeof seed === "number" ? seed >>> 0 : hashOf(seed);
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** At least one of them, in their order. */
  some<T>(choices: readonly T[]): readonly T[] {
    const chosen = choices.filter(() => this.chance(0.5));
    return chosen.length > 0 || choices.length === 0 ? chosen : this.some(choices);
  }

  shuffled<T>(choices: readonly T[]): readonly T[] {
    return choices
      .map((choice) => ({ choice, place: this.next() }))
      .toSorted((a, b) => a.place - b.place)
      .map(({ choice }) => choice);
  }

  pick<const T>(choices: readonly [T, ...(readonly T[])]): T {
    return choices[this.between(0, choices.length - 1)] ?? choices[0];
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}
