// The page of features against the tests that it names, as `failures.ts` does it for failures. Pure functions; `features.test.ts` runs
// them over the repository and shows what each reports.
import { join } from "node:path/posix";
import type { SourceFile } from "./source-file.ts";
import { descend, identifierName, isNode, type SyntaxNode, syntaxOf } from "./syntax.ts";

/** What everstep answers to a feature that others have. */
const ANSWERS: ReadonlySet<string> = new Set(["have", "better", "partly", "planned", "not"]);
const PROVEN: ReadonlySet<string> = new Set(["have", "better", "partly"]);

interface NamedTest {
  readonly title: string;
  /** From the root of the repository. */
  readonly path: string;
}

/** A row of the page: `| feature | answer | how, and its limits | tests, as links, or a dash |`. */
export interface FeatureRow {
  readonly section: string;
  readonly feature: string;
  readonly answer: string;
  readonly how: string;
  readonly tests: readonly NamedTest[];
}

export function featureRows(page: string): FeatureRow[] {
  let section = "";
  return page.split("\n").flatMap((line) => {
    section = /^## (?<heading>.+)$/.exec(line)?.groups?.["heading"] ?? section;
    if (section === "" || !line.startsWith("| ") || line.startsWith("| feature |")) return [];
    const [feature = "", answer = "", how = "", tests = ""] = line.replaceAll(/^\| | \|$/g, "").split(" | ");
    return [{ section, feature, answer, how, tests: testsIn(tests) }];
  });
}

function testsIn(cell: string): NamedTest[] {
  return [...cell.matchAll(/\[(?<title>[^\]]+)\]\((?<target>[^)]+)\)/g)].map(({ groups }) => ({
    title: groups?.["title"] ?? "",
    path: join("docs", groups?.["target"] ?? ""),
  }));
}

/** Each feature of a section has one row there, and no row is of another one. */
export function sectionProblems(
  rows: readonly FeatureRow[],
  section: string,
  features: readonly string[],
): string[] {
  const found = rows.filter((row) => row.section === section).map(({ feature }) => feature);
  return [
    ...features.filter((feature) => !found.includes(feature)).map((one) => `${section}: ${one} has no row`),
    ...found.filter((feature) => !features.includes(feature)).map((one) => `${section}: ${one} is nobody's`),
    ...found
      .filter((feature, index) => found.indexOf(feature) < index)
      .map((one) => `${section}: ${one} has two rows`),
  ];
}

/** What everstep has is shown by tests that are there; what it does not have is said why, or for when it is planned. */
export function rowProblems(row: FeatureRow, files: readonly SourceFile[]): string[] {
  const what = `${row.section}: ${row.feature}`;
  if (!ANSWERS.has(row.answer)) return [`${what} is answered ${row.answer}`];
  if (row.how.trim().length < 10) return [`${what} does not say how, or why not`];
  if (PROVEN.has(row.answer) && row.tests.length === 0) return [`${what} is shown by no test`];
  if (row.answer === "planned" && !/\bissue\b/.test(row.how)) return [`${what} names no issue`];
  return row.tests.flatMap(({ title, path }) => {
    const file = files.find((candidate) => candidate.path === path);
    if (file === undefined) return [`${what}: there is no ${path}`];
    return titlesIn(file).has(title) ? [] : [`${what}: ${path} has no test "${title}"`];
  });
}

/** Names of tests, and of groups of them; of a conformance topic, the names of its cases. */
export function titlesIn(file: SourceFile): ReadonlySet<string> {
  const nodes = [...descend(syntaxOf(file).root)].map(({ node }) => node);
  return new Set(nodes.flatMap((node) => textOf(titleOf(node, file.path)) ?? []));
}

function titleOf(node: SyntaxNode, path: string): unknown {
  if (path.includes("/testing/conformance/")) return node.type === "Property" ? node["key"] : undefined;
  if (node.type !== "CallExpression" || !Array.isArray(node["arguments"])) return undefined;
  return TESTING.has(rootOf(node["callee"]) ?? "") ? node["arguments"][0] : undefined;
}

const TESTING: ReadonlySet<string> = new Set(["test", "it", "describe"]);

/** `test` of `test.for(…)(…)`. */
function rootOf(callee: unknown): string | undefined {
  if (!isNode(callee)) return undefined;
  return identifierName(callee) ?? rootOf(callee["callee"] ?? callee["object"]);
}

function textOf(title: unknown): string | undefined {
  if (!isNode(title)) return undefined;
  if (typeof title["value"] === "string") return title["value"];
  if (title.type !== "TemplateLiteral" || !Array.isArray(title["quasis"])) return undefined;
  const [only, more] = title["quasis"] as readonly { readonly value: { readonly cooked: string } }[];
  return more === undefined ? only?.value.cooked : undefined;
}
