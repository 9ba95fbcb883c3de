/** Each mutant of the engine is caught by the simulated campaign. EVERSTEP_SEED=n repeats what was drawn. */
import { beforeAll, expect, test } from "vitest";
import { hunt, type Verdict, VoidHuntError } from "./mutants/hunt.ts";
import { MUTANTS } from "./mutants/mutants.ts";
import { TESTED } from "./sizes.ts";

/** Always the same one: whether the judge is good enough is no matter of luck. */
const SEED = process.env["EVERSTEP_SEED"] ?? "1";

/** All of them in CI; elsewhere every third one, which takes no longer than a minute. */
const HUNTED = TESTED.name === "quick" ? MUTANTS.filter((_, index) => index % 3 === 0) : MUTANTS;

const verdicts = new Map<string, Verdict>();
let whyVoid: string | undefined;

beforeAll(async () => {
  try {
    for (const verdict of await hunt({ seed: SEED, mutants: HUNTED })) verdicts.set(verdict.does, verdict);
  } catch (error) {
    if (!(error instanceof VoidHuntError)) throw error;
    whyVoid = error.message;
  }
}, 1_200_000);

test("the engine itself is not caught", () => {
  expect(whyVoid, `EVERSTEP_SEED=${SEED}`).toBeUndefined();
});

for (const { does } of HUNTED) {
  test(`an engine that ${does} is caught`, () => {
    expect(verdicts.get(does), `EVERSTEP_SEED=${SEED}`).toMatchObject({ killed: true });
  });
}
