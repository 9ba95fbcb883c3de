/** F14: a crash, and then a crash of the process that recovers from it. */
import { expect, test } from "vitest";
import { FULL_PARTS, oneIn, programsUpTo, report, Sweeper } from "../support/crash-sweep.ts";
import type { Program } from "../support/programs.ts";

const POINTS_MAX = 12;

test("a program survives every crash of every recovery", { timeout: 600_000 }, async () => {
  const sweeper = new Sweeper();
  const keep = (program: Program) => (FULL_PARTS > 0 ? () => true : oneIn(5, program));
  for (const program of programsUpTo(2)) await sweeper.pairs(program, POINTS_MAX, keep(program));
  const sweep = sweeper.done();
  console.log(report("pairs", sweep));
  expect(Object.keys(sweep.met).length).toBe(4);
});
