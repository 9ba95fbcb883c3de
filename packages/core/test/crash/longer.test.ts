/** A sample of the programs of three and four parts, each hit by a part of the single faults. */
import { expect, test } from "vitest";
import { FULL_PARTS, oneIn, report, sampleOf, SEED, Sweeper } from "../support/crash-sweep.ts";

test(`a longer program survives one fault as well (EVERSTEP_CRASH_SEED=${SEED})`, {
  timeout: 120_000,
}, async () => {
  const sweeper = new Sweeper();
  const [threes, fours] = FULL_PARTS > 0 ? [500, 500] : [80, 80];
  for (const program of sampleOf(3, threes, SEED)) await sweeper.singles(program, oneIn(3, program));
  for (const program of sampleOf(4, fours, SEED)) await sweeper.singles(program, oneIn(4, program));
  const sweep = sweeper.done();
  console.log(report("longer programs", sweep));
  expect(Object.keys(sweep.met).length).toBe(6);
});
