import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { repositoryRoot } from "./source-file.ts";

interface Case {
  readonly what: string;
  /** The status of each test by file; a file without tests did not load. */
  readonly files: readonly string[][];
  readonly checksExit: number;
  readonly testsExit: number;
  readonly line: string;
}

const CASES: readonly Case[] = [
  {
    what: "all is well",
    files: [["passed"], ["passed"]],
    checksExit: 0,
    testsExit: 0,
    line: "2 passed, 0 failed",
  },
  {
    what: "a test failed",
    files: [["passed", "failed"]],
    checksExit: 0,
    testsExit: 1,
    line: "1 passed, 1 failed",
  },
  {
    what: "a file did not load",
    files: [["passed"], []],
    checksExit: 0,
    testsExit: 1,
    line: "1 passed, 1 failed",
  },
  {
    what: "a test was skipped",
    files: [["passed", "skipped"]],
    checksExit: 0,
    testsExit: 0,
    line: "1 passed, 0 failed",
  },
  { what: "a check failed", files: [["passed"]], checksExit: 1, testsExit: 0, line: "1 passed, 1 failed" },
  {
    what: "the runner failed beside its tests",
    files: [["passed"]],
    checksExit: 0,
    testsExit: 1,
    line: "1 passed, 1 failed",
  },
  { what: "nothing ran", files: [], checksExit: 0, testsExit: 0, line: "0 passed, 1 failed" },
];

function reportOf(files: readonly string[][]): string {
  const testResults = files.map((statuses) => ({
    status: statuses.length === 0 || statuses.includes("failed") ? "failed" : "passed",
    assertionResults: statuses.map((status) => ({ status })),
  }));
  return JSON.stringify({ testResults });
}

function count(
  report: string | undefined,
  ...exitCodes: number[]
): { line: string | undefined; exit: number | null } {
  const folder = mkdtempSync(join(tmpdir(), "everstep-count-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "report.json");
  if (report !== undefined) writeFileSync(path, report);
  const args = ["scripts/count-tests.mjs", path, ...exitCodes.map(String)];
  const { stdout, status } = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: "utf8" });
  return { line: stdout.trimEnd().split("\n").at(-1), exit: status };
}

test.for(CASES)("counts when $what", ({ files, checksExit, testsExit, line }) => {
  const exit = line.endsWith(" 0 failed") ? 0 : 1;
  expect(count(reportOf(files), checksExit, testsExit)).toEqual({ line, exit });
});

test("counts when the runner died without a report", () => {
  expect(count(undefined, 0, 139)).toEqual({ line: "0 passed, 1 failed", exit: 1 });
});
