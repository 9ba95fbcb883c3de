/** Every program of up to two parts, hit by every single fault. */
import { expect, test } from "vitest";
import { FULL_PARTS, programsUpTo, report, Sweeper } from "../support/crash-sweep.ts";

const TIMEOUT_MS = 24 * 3_600_000;

test("whatever one fault hits, a program ends as if there had been none", {
  timeout: TIMEOUT_MS,
}, async () => {
  const sweeper = new Sweeper();
  for (const program of programsUpTo(Math.max(2, FULL_PARTS))) await sweeper.singles(program);
  const sweep = sweeper.done();
  console.log(report("singles", sweep));
  expect(Object.keys(sweep.met).length).toBe(6);
});
