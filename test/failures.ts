// The page of failures and the promises, against the tests that they name: a number without a test that carries it is a
// demand, not a promise. Pure functions; `failures.test.ts` runs them over the repository and shows what each reports.
import type { SourceFile } from "./source-file.ts";

/** Numbers of the catalogue of failures: 1 to this. */
export const FAILURES_MAX = 127;

/** What runs as a test, or is a case of the suite that runs over every store. */
export const isTest = ({ path }: Pick<SourceFile, "path">): boolean =>
  path.endsWith(".test.ts") || /^packages\/core\/src\/testing\/conformance\/[^/]+\.ts$/.test(path);

/** A row of the page: `| F38 | what happens | what has to hold | tests, or a dash and the reason why there is none |`. */
export interface FailureRow {
  readonly number: string;
  /** The files that it names, by the ends of their paths. */
  readonly tests: readonly string[];
  readonly reason: string | undefined;
}

export function failureRows(page: string): FailureRow[] {
  return page.split("\n").flatMap((line) => {
    const [, number] = /^\| (F\d+) \|/.exec(line) ?? [];
    if (number === undefined) return [];
    const cells = line.split(" | ");
    const last = cells.length < 4 ? "" : (cells.at(-1) ?? "").replace(/ ?\|$/, "");
    const tests = [...last.matchAll(/`(?<name>[^`]+)`/g)].map(({ groups }) => groups?.["name"] ?? "");
    return [{ number, tests, reason: /^— (?<reason>\S.*)$/.exec(last)?.groups?.["reason"] }];
  });
}

/** Each number of the catalogue has one row, and no row is of another number. */
export function numbersProblems(rows: readonly FailureRow[]): string[] {
  const expected = Array.from({ length: FAILURES_MAX }, (_, index) => `F${index + 1}`);
  const found = rows.map(({ number }) => number);
  return [
    ...expected.filter((number) => !found.includes(number)).map((number) => `${number} has no row`),
    ...found.filter((number) => !expected.includes(number)).map((number) => `${number} is no failure`),
    ...found
      .filter((number, index) => found.indexOf(number) < index)
      .map((number) => `${number} has two rows`),
  ];
}

/** Each row names tests that are there and carry its number, or says why there is none. */
export function rowProblems(row: FailureRow, files: readonly SourceFile[]): string[] {
  const { number, tests, reason } = row;
  if (tests.length === 0 && reason === undefined) return [`${number} has neither a test nor a reason`];
  return tests.flatMap((name) => {
    const found = files.filter((file) => isTest(file) && `/${file.path}`.endsWith(`/${name}`));
    const [file] = found;
    if (file === undefined) return [`${number}: there is no test ${name}`];
    if (found.length > 1) return [`${number}: ${name} is ${found.map(({ path }) => path).join(" or ")}`];
    return carries(file.text, number) ? [] : [`${number}: ${file.path} does not carry it`];
  });
}

/** A test of a number that the page does not know: it was mistyped, or is to be added to the page. */
export function strayNumbers(rows: readonly FailureRow[], files: readonly SourceFile[]): string[] {
  const known = new Set(rows.map(({ number }) => number));
  return files
    .filter(isTest)
    .flatMap(({ path, text }) =>
      [...new Set(text.match(/\bF\d+\b/g))]
        .filter((number) => !known.has(number))
        .map((number) => `${path}: ${number} is not in the page`),
    );
}

/** A test that a promise names, and the invariants of it that are given in parentheses. */
export interface NamedTest {
  readonly path: string;
  readonly invariants: readonly string[];
}

/** Those after "Tests:". `` `a.test.ts` (I1, L1) and `b.test.ts` `` */
export function promisedTests(text: string): NamedTest[] {
  const [, list = ""] = /\bTests:(?<list>.*)$/s.exec(text) ?? [];
  return [...list.matchAll(/`(?<path>[^`]+\.test\.ts)`(?:\s*\((?<notes>[^)]*)\))?/g)].map(({ groups }) => ({
    path: groups?.["path"] ?? "",
    invariants: groups?.["notes"]?.match(/\b[A-Z]\d+\b/g) ?? [],
  }));
}

/** Each test that a promise names is there, and carries the promise's number or one of the invariants beside its name. */
export function promiseProblems(promise: string, text: string, files: readonly SourceFile[]): string[] {
  const named = promisedTests(text);
  if (named.length === 0) return [`${promise} names no test`];
  return named.flatMap(({ path, invariants }) => {
    const file = files.find((candidate) => candidate.path === path);
    if (file === undefined) return [`${promise}: there is no ${path}`];
    const numbers = [promise, ...invariants];
    if (numbers.some((number) => carries(file.text, number))) return [];
    return [`${promise}: ${path} carries none of ${numbers.join(", ")}`];
  });
}

function carries(text: string, number: string): boolean {
  return new RegExp(String.raw`\b${number}\b`).test(text);
}
