/** Programs drawn by a seed. */
import * as fc from "fast-check";
import { programs } from "../programs/generate.ts";
import type { Program } from "../programs/program.ts";
import { Random } from "../random.ts";

export function samplePrograms(count: number, seed: string): readonly Program[] {
  return fc.sample(programs, { numRuns: count, seed: new Random(seed).between(1, 2 ** 31 - 1) });
}
