/** F14: recovery is hit again and again, at points drawn by the seed; the end is the same. */
import { expect, test } from "vitest";
import { prng } from "../../src/engine/prng.ts";
import type { Fault } from "../support/crash-lab.ts";
import { FULL_PARTS, report, sampleOf, SEED, Sweeper } from "../support/crash-sweep.ts";

/** Mostly deaths: a process that survives its fault meets no other. */
const HOWS = ["before", "after", "before", "after", "before", "after", "lost", "refused"] as const;

/** Up to seven faults: one for each process that is born. */
function drawFaults(seed: string): Fault[] {
  const random = prng(seed);
  const draw = (most: number): number => Math.floor(random.next() * most);
  return Array.from({ length: 1 + draw(7) }, () => {
    const how = HOWS[draw(HOWS.length)] ?? "before";
    const hitsEffect = random.next() < 0.3 && (how === "before" || how === "after");
    return hitsEffect ? { point: "effect", at: 1 + draw(3), how } : { point: "call", at: 1 + draw(14), how };
  });
}

test(`crash after crash (EVERSTEP_CRASH_SEED=${SEED})`, { timeout: 600_000 }, async () => {
  const sweeper = new Sweeper();
  const count = FULL_PARTS > 0 ? 20_000 : 1200;
  for (const [index, program] of sampleOf(4, count, SEED).entries())
    await sweeper.faults(program, drawFaults(`${SEED} ${index}`));
  const sweep = sweeper.done();
  console.log(report("many crashes", sweep));
  expect(Object.keys(sweep.met).length).toBe(6);
});
