/** Each mutant of the engine is caught by the simulated campaign. EVERSTEP_SEED=n repeats what was drawn. */
import { beforeAll, expect, test } from "vitest";
import { hunt, type Verdict, VoidHuntError } from "./mutants/hunt.ts";
import { MUTANTS } from "./mutants/mutants.ts";

/** Always the same one: whether the judge is good enough is no matter of luck. */
const SEED = process.env["EVERSTEP_SEED"] ?? "1";

const verdicts = new Map<string, Verdict>();
let whyVoid: string | undefined;

beforeAll(async () => {
  try {
    for (const verdict of await hunt({ seed: SEED })) verdicts.set(verdict.does, verdict);
  } catch (error) {
    if (!(error instanceof VoidHuntError)) throw error;
    whyVoid = error.message;
  }
}, 1_200_000);

test("the engine itself is not caught", () => {
  expect(whyVoid, `EVERSTEP_SEED=${SEED}`).toBeUndefined();
});

for (const { does } of MUTANTS) {
  test(`an engine that ${does} is caught`, () => {
    expect(verdicts.get(does), `EVERSTEP_SEED=${SEED}`).toMatchObject({ killed: true });
  });
}
