/** Programs and faults, drawn by a seed. */
import type { Fault, FaultPlan } from "@everstep/core/testing";
import * as fc from "fast-check";
import { programs } from "../programs/generate.ts";
import type { Program } from "../programs/program.ts";
import { Random } from "../random.ts";

export function samplePrograms(count: number, seed: string): readonly Program[] {
  return fc.sample(programs, { numRuns: count, seed: new Random(seed).between(1, 2 ** 31 - 1) });
}

const PLAN_MAX = 7;
/** Few processes make more calls or have more effects before a program is over. */
const CALLS_MAX = 9;
const EFFECTS_MAX = 3;

const upTo = (most: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: most });

/** Mostly deaths: a process that survives its fault meets no other. */
const fault: fc.Arbitrary<Fault> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      point: fc.constant("effect" as const),
      at: upTo(EFFECTS_MAX),
      how: fc.constantFrom("before", "after"),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      point: fc.constant("call" as const),
      at: upTo(CALLS_MAX),
      how: fc.constantFrom("before", "after"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      point: fc.constant("call" as const),
      at: upTo(CALLS_MAX),
      how: fc.constantFrom("lost", "refused", "frozen", "late"),
    }),
  },
);

/** A fault for each process that is born. */
export const plans: fc.Arbitrary<FaultPlan> = fc.array(fault, {
  minLength: 1,
  maxLength: PLAN_MAX,
  size: "max",
});
