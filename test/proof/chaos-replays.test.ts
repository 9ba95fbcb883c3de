/** I12 of the kill test: journals that come to the same end again, and some that do not. */
import type { RunDetails } from "@everstep/core";
import { expect, test } from "vitest";
import { NOWHERE } from "./chaos/nowhere.ts";
import { Random } from "./random.ts";
import { replayAll } from "./chaos/replays.ts";
import { ok, plain, runOf } from "./chaos/sound-evidence.ts";
import { workflowsOf } from "./chaos/workflows.ts";

const KEYS = ["one", "two", "three", "four", "five"];
const workflows = workflowsOf({ ...NOWHERE, ground: { post: () => Promise.reject(new Error("no SQL")) } });

function five(keys: readonly string[], end: Partial<RunDetails["run"]> = {}): RunDetails {
  const drafts = [...keys.map((key) => ok(key)), { kind: "end", key: "completed" } as const];
  const { version } = workflows.five;
  return runOf("five", drafts, { version, startedAt: 1_000, result: plain(...KEYS), ...end });
}

const replayed = async (details: RunDetails): Promise<readonly string[]> =>
  (await replayAll([details], { workflows, random: new Random(1), max: 1 })).problems;

test("finds nothing wrong with a journal that comes to the same end", async () => {
  expect(await replayed(five(KEYS))).toEqual([]);
});

const WRONG: readonly (readonly [what: string, details: RunDetails])[] = [
  ["a body that would run again", five(KEYS.slice(0, -1))],
  ["another order", five(["two", "one", ...KEYS.slice(2)])],
  ["another result", five(KEYS, { result: '{"one":"two"}' })],
  ["another end", five(KEYS, { end: "failed" })],
];

for (const [what, details] of WRONG) {
  test(`I12: ${what}`, async () => {
    expect(await replayed(details)).toEqual([expect.stringMatching(/^I12 five-1: /)]);
  });
}
