/** F36, F69, F70: when a worker whose lock is free is dead, and when nobody may say so. In milliseconds, without a clock. */
import { describe, expect, test } from "vitest";
import { type Suspect, Suspicions } from "../src/postgres/suspicions.ts";

const LONG_AGO_MS = 3_600_000;
/** What `saw` is told by a worker that was never away and has never lost its session. */
const STEADY = { awayMs: 0, sessionChangedAt: -Infinity };

const suspect = (more: Partial<Suspect> = {}): Suspect => ({
  id: 7,
  batch: 3,
  beat: 1,
  expiresAt: 60_000,
  ...more,
});

interface Look {
  readonly at: number;
  readonly serverUpMs?: number;
  readonly suspects?: readonly Suspect[];
}

/** The ids of those that are dead at a look; the store's clock and ours show the same. */
function dead(
  suspicions: Suspicions,
  { at, serverUpMs = LONG_AGO_MS, suspects = [suspect()] }: Look,
): readonly number[] {
  return suspicions.judge(suspects, { serverUpMs, now: at, at }).map(({ id }) => id);
}

describe("a free lock", () => {
  test("is a death at the second look, if that comes most of a second later", () => {
    const suspicions = new Suspicions();
    expect(dead(suspicions, { at: 0 })).toEqual([]);
    expect(dead(suspicions, { at: 899 })).toEqual([]);
    expect(dead(suspicions, { at: 900 })).toEqual([7]);
  });

  test("is none as long as there are signs of life between two looks", () => {
    const suspicions = new Suspicions();
    const signs = [{}, { beat: 2 }, { beat: 2, batch: 4 }, { beat: 2, batch: 4, expiresAt: 70_000 }];
    for (const [n, sign] of signs.entries())
      expect(dead(suspicions, { at: n * 2_000, suspects: [suspect(sign)] })).toEqual([]);
    const still = [suspect(signs.at(-1))];
    expect(dead(suspicions, { at: 8_000, suspects: still })).toEqual([7]);
  });

  test("that was taken in the meantime is looked at anew", () => {
    const suspicions = new Suspicions();
    dead(suspicions, { at: 0 });
    dead(suspicions, { at: 1_000, suspects: [] });
    expect(dead(suspicions, { at: 2_000 })).toEqual([]);
    expect(dead(suspicions, { at: 2_900 })).toEqual([7]);
  });
});

test("a lease that is over is a death at the first look", () => {
  const suspects = [suspect({ expiresAt: 500 })];
  expect(dead(new Suspicions(), { at: 499, suspects })).toEqual([]);
  expect(dead(new Suspicions(), { at: 500, suspects })).toEqual([7]);
});

describe("nobody is judged", () => {
  const over = { suspects: [suspect({ expiresAt: 0 }), suspect({ id: 8 })] };

  test("in the first three seconds of a server, though both looks may fall into them", () => {
    const suspicions = new Suspicions();
    expect(dead(suspicions, { at: 1_000, serverUpMs: 1_000, ...over })).toEqual([]);
    expect(dead(suspicions, { at: 2_999, serverUpMs: 2_999, ...over })).toEqual([]);
    expect(dead(suspicions, { at: 3_000, serverUpMs: 3_000, ...over })).toEqual([7, 8]);
  });

  test("in the five seconds after one's own session was lost, or was there again", () => {
    const suspicions = new Suspicions();
    suspicions.saw({ awayMs: 0, sessionChangedAt: 1_000 });
    expect(dead(suspicions, { at: 1_000, ...over })).toEqual([]);
    expect(dead(suspicions, { at: 5_999, ...over })).toEqual([]);
    expect(dead(suspicions, { at: 6_000, ...over })).toEqual([7, 8]);
  });

  test("in the moment after one was away oneself for longer than five seconds", () => {
    const suspicions = new Suspicions();
    suspicions.saw(STEADY);
    const at = performance.now();
    expect(dead(suspicions, { at, suspects: [suspect({ expiresAt: 0 })] })).toEqual([7]);
    suspicions.saw({ ...STEADY, awayMs: 5_001 });
    expect(dead(suspicions, { at, suspects: [suspect({ expiresAt: 0 })] })).toEqual([]);
    const later = performance.now() + 2_500;
    expect(dead(suspicions, { at: later, suspects: [suspect({ expiresAt: 0 })] })).toEqual([7]);
  });
});
