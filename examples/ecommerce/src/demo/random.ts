/** A generator of numbers in [0, 1). */
export type Random = () => number;

/** Mulberry32: small, seeded, good enough to mix a day of orders. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `min` to `max`, both included. */
export function whole(draw: Random, min: number, max: number): number {
  return min + Math.floor(draw() * (max - min + 1));
}

export function chance(draw: Random, probability: number): boolean {
  return draw() < probability;
}

export function pick<T>(draw: Random, from: readonly [T, ...T[]]): T {
  return from[Math.floor(draw() * from.length)] ?? from[0];
}
