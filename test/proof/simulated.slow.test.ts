/**
 * Programs in simulated processes that die, freeze and lose their answers at every point: what must hold after each of them.
 *
 * Defends P1, P2, P3, P4, P6, P7; F1, F2, F3, F4, F5, F7, F8, F9, F10, F13, F14, F63, F64, F92, F114; and checks I1, I3, I4, I5, I6, I8, I9, I10, I11, I12, I13,
 * I14, I15, I16, I17, I18, I19, I22 and L1 after each fault.
 *
 * EVERSTEP_SEED=n repeats it; EVERSTEP_CASE='…' and EVERSTEP_SIMULATION='…', as a failure names them, repeat that case alone.
 */
import { describe, expect, test } from "vitest";
import { BRANCHES } from "./simulated/branches.ts";
import { caseFromLine, caseToLine, tryCase } from "./simulated/case.ts";
import { PARTS, type PartName } from "./simulated/parts.ts";
import { tryOnAllCores } from "./simulated/shares.ts";
import { trySimulation } from "./simulated/simulation.ts";
import { crashesIn, sumOf, type Tried } from "./simulated/tally.ts";
import { SEED, TESTED } from "./sizes.ts";

const one = process.env["EVERSTEP_CASE"];
const simulation = process.env["EVERSTEP_SIMULATION"];
const alone = one !== undefined || simulation !== undefined;

test.skipIf(one === undefined)(`the case ${one}`, async () => {
  await tryCase(caseFromLine(one ?? ""));
});

test.skipIf(simulation === undefined)(`the simulation ${simulation}`, async () => {
  await trySimulation(simulation ?? "");
});

test.each([
  "[ok+own (race [ok] [sleep:200])] @ call 3 after, none, effect 1 before @ concurrency 1 and no hints",
  "[fatal] @ none @ ",
])("a case that is named can be repeated: %s", (line) => {
  expect(caseToLine(caseFromLine(line))).toBe(line);
});

/** Each of these has failed once. */
const REGRESSIONS = [
  // A suspect that got a message before it had begun was given its results in the wrong order.
  "[(each:2 [ok]) sent ok+own+looks] @ call 7 before, call 7 before, call 7 after, call 7 late, call 5 after, call 1 before, call 3 refused @ ",
  // Five deaths in a row without progress: an operator has to resume it.
  "[(each:3 [(try [ok+own timeout ok+bare declined+bare-flaky] [sleep:90000 flaky])]) timeout+own-flaky sleep:90000 sleep:200 (contest [ok] [ok+looks] [ok]) ok ok+own-flaky ok] @ call 7 after, effect 3 after, effect 1 after, effect 2 after, effect 1 after, effect 3 before, effect 1 after @ ",
  // A change of the code was answered otherwise after a crash, for two things had been sent in one commit.
  "[(all [(start []) (if [] [(try [patched declined] [])])] [(if [ok] [(all [(if [] [tell]) ok] [ok])])])] @ call 8 before, call 1 before @ ",
  // A wait timed out although its signal had been accepted in time.
  "[maybe:1 sleep:200] @ call 5 refused @ ",
];

test.each(REGRESSIONS)("what was once wrong is right: %s", async (line) => {
  await tryCase(caseFromLine(line));
});

test("the same seed gives the same simulation, down to each call", async () => {
  for (const no of [1, 2, 3, 4, 5]) {
    const [first, second] = [await trySimulation(`${SEED} ${no}`), await trySimulation(`${SEED} ${no}`)];
    expect(second.traceHash, `EVERSTEP_SEED=${SEED}`).toBe(first.traceHash);
  }
});

const WHAT: Readonly<Record<PartName, string>> = {
  exhaustive: "every program of two statements survives every single fault",
  steps: "every program of three steps survives every single fault",
  sampled: "longer programs survive single faults",
  settings:
    "programs survive single faults where runs go one by one, and where nobody is told that something changed",
  pairs: "programs survive every crash of every recovery",
  drawn: "drawn programs survive single faults",
  series: "drawn programs survive crash after crash",
  simulations:
    "several programs at once survive several workers that die, freeze, hang and lose their clocks",
  repairs: "runs that persons pause, retry and rewind come to their ends",
};

/** Without these a part has shown nothing. */
const CALLS = ["call before", "call after", "call lost", "call refused", "call frozen", "call late"];
const EFFECTS = ["effect before", "effect after"];
const KINDS: Readonly<Record<PartName, readonly string[]>> = {
  exhaustive: [...CALLS, ...EFFECTS],
  steps: [...CALLS, ...EFFECTS],
  sampled: [...CALLS, ...EFFECTS],
  settings: [...CALLS, ...EFFECTS],
  pairs: ["call before", "call after", ...EFFECTS],
  drawn: [...CALLS, ...EFFECTS],
  series: [...CALLS, ...EFFECTS],
  simulations: [...CALLS, ...EFFECTS, "clock jump", "delay", "hint lost"],
  repairs: [...CALLS, ...EFFECTS, "clock jump", "delay", "hint lost"],
};

const tried: Tried[] = [];

describe.skipIf(alone)(`EVERSTEP_SEED=${SEED}`, () => {
  test.each(PARTS)("%s", { timeout: 600_000 }, async (part) => {
    const found = await tryOnAllCores(part, TESTED.simulated, String(SEED));
    tried.push(found);
    const { programs, runs, faults, violations } = found;
    console.log(
      `${WHAT[part]}: ${programs} programs, ${runs} runs, ${crashesIn(faults)} crashes ${JSON.stringify(faults)}`,
    );
    expect(violations, `EVERSTEP_SEED=${SEED}`).toEqual([]);
    expect(Object.keys(faults)).toEqual(expect.arrayContaining([...KINDS[part]]));
  });

  test("programs went every way that there is", () => {
    const { branches } = sumOf(tried);
    expect(Object.keys(branches)).toEqual(expect.arrayContaining([...BRANCHES]));
  });

  test(`that were at least ${TESTED.crashes} crashes`, () => {
    const crashes = tried.reduce((sum, { faults }) => sum + crashesIn(faults), 0);
    expect(crashes).toBeGreaterThanOrEqual(TESTED.crashes);
  });
});
