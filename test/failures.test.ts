import { expect, test } from "vitest";
import { promiseIn, readPage } from "./docs-pages.ts";
import {
  FAILURES_MAX,
  failureRows,
  isTest,
  numbersProblems,
  promiseProblems,
  promisedTests,
  rowProblems,
  strayNumbers,
} from "./failures.ts";
import { readRepository, type SourceFile } from "./source-file.ts";

const files = readRepository();
const rows = failureRows(readPage("docs/failures.md").text);

test("each failure of the catalogue has one row in docs/failures.md", () => {
  expect(rows).toHaveLength(FAILURES_MAX);
  expect(numbersProblems(rows)).toEqual([]);
});

test("each row names tests that carry its number, or says why there is none", () => {
  expect(rows.flatMap((row) => rowProblems(row, files))).toEqual([]);
});

test("no test carries the number of a failure that is not in the page", () => {
  expect(files.filter(isTest).length).toBeGreaterThan(100);
  expect(strayNumbers(rows, files)).toEqual([]);
});

test.for(["P1", "P2", "P3", "P4", "P5", "P6", "P7"])("the tests that %s names defend it", (promise) => {
  expect(promiseProblems(promise, promiseIn("docs/guarantees.md", promise), files)).toEqual([]);
});

const file = (path: string, text = ""): SourceFile => ({ path, text });
const row = (last: string): string => `| F38 | a reply is lost | it is sent again |${last}`;
const problemsOf = (last: string, ...tests: readonly SourceFile[]): string[] =>
  failureRows(row(last)).flatMap((one) => rowProblems(one, tests));

/** Numbers that this file, which is read as well, can't hold. */
const spell = (...pieces: readonly string[]): string => pieces.join("");

test("a row without a test, or with a name that leads nowhere, is reported", () => {
  const carrier = file("packages/a/test/b.test.ts", 'test("F38: it is sent again")');
  expect(problemsOf(" `b.test.ts` |", carrier)).toEqual([]);
  expect(problemsOf(" — no machine can do it |", carrier)).toEqual([]);
  expect(problemsOf("", carrier)).toEqual(["F38 has neither a test nor a reason"]);
  expect(problemsOf(" — |", carrier)).toEqual(["F38 has neither a test nor a reason"]);
  expect(problemsOf(" some day |", carrier)).toEqual(["F38 has neither a test nor a reason"]);
  expect(problemsOf(" `c.test.ts` |", carrier)).toEqual(["F38: there is no test c.test.ts"]);
  expect(problemsOf(" `b.test.ts`, `c.test.ts` |", carrier)).toHaveLength(1);
  expect(problemsOf(" `b.ts` |", file("packages/a/src/b.ts", "F38"))).toEqual(["F38: there is no test b.ts"]);
});

test("a row whose test does not carry its number is reported", () => {
  for (const text of ["", "F3", spell("F", "380"), "aF38", "F38s"])
    expect(problemsOf(" `b.test.ts` |", file("test/b.test.ts", text))).toEqual([
      "F38: test/b.test.ts does not carry it",
    ]);
});

test("a name that could be two files is reported, and a longer one tells them apart", () => {
  const two = [file("a/x/b.test.ts", "F38"), file("a/y/b.test.ts", "F38")];
  expect(problemsOf(" `b.test.ts` |", ...two)).toEqual(["F38: b.test.ts is a/x/b.test.ts or a/y/b.test.ts"]);
  expect(problemsOf(" `y/b.test.ts` |", ...two)).toEqual([]);
});

test("a number that is missing, there twice or of no failure is reported", () => {
  const all = Array.from({ length: FAILURES_MAX }, (_, index) => `| F${index + 1} | a | b | — c |`);
  const problems = (...lines: readonly string[]): string[] => numbersProblems(failureRows(lines.join("\n")));
  expect(problems(...all)).toEqual([]);
  expect(problems(...all.slice(1))).toEqual(["F1 has no row"]);
  expect(problems(...all, "| F9 | a | b | — c |")).toEqual(["F9 has two rows"]);
  const zero = spell("F", "0");
  expect(problems(...all, `| ${zero} | a | b | — c |`)).toEqual([`${zero} is no failure`]);
});

test("a test of a number that is not in the page is reported", () => {
  const stray = spell("F", "38");
  expect(strayNumbers([], [file("test/b.test.ts", `test("${stray}: it is sent again")`)])).toEqual([
    `test/b.test.ts: ${stray} is not in the page`,
  ]);
});

test("the tests of a promise are read with the invariants beside them", () => {
  const text =
    "**P1** none is lost.\n\n- Tests: `a.test.ts`, `b.test.ts`\n  (I1, L1), `c.test.ts` (on a disk).";
  expect(promisedTests(text)).toEqual([
    { path: "a.test.ts", invariants: [] },
    { path: "b.test.ts", invariants: ["I1", "L1"] },
    { path: "c.test.ts", invariants: [] },
  ]);
});

test("a promise whose test is not there, or does not carry a number of it, is reported", () => {
  const problems = (text: string): string[] =>
    promiseProblems("P1", `Tests: \`a.test.ts\`${text}`, [file("a.test.ts", "P1")]);
  expect(problems("")).toEqual([]);
  expect(problems(", `b.test.ts`")).toEqual(["P1: there is no b.test.ts"]);
  const silent = [file("a.test.ts", "P11, I12")];
  expect(promiseProblems("P1", "Tests: `a.test.ts` (I1)", silent)).toEqual([
    "P1: a.test.ts carries none of P1, I1",
  ]);
  expect(promiseProblems("P1", "Tests: `a.test.ts` (I12)", silent)).toEqual([]);
  expect(promiseProblems("P1", "It holds.", silent)).toEqual(["P1 names no test"]);
});
