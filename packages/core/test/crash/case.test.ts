/** Repeats one case: the failures of the crash tests say how. */
import { expect, test } from "vitest";
import { CrashLab, describeCase, parseCase } from "../support/crash-lab.ts";

const line = process.env["CRASH_CASE"];

test.skipIf(line === undefined)(`the case ${line}`, async () => {
  await new CrashLab(...parseCase(line ?? "")).run();
});

test.each([
  "ok,undo,fatal @ call 3 after, effect 1 before (concurrency 1, no hints)",
  "sleep @ no fault",
  "late,ok @ call 12 lost (no hints)",
])("a case that is described can be repeated: %s", (text) => {
  expect(describeCase(...parseCase(text))).toBe(text);
});
