import { basename, dirname, join, relative } from "node:path/posix";
import { expect, test } from "vitest";
import { problemsOf, programOf } from "./docs-compile.ts";
import {
  blocksOf,
  linksLeadSomewhere,
  longPagesHaveContents,
  namedTestsExist,
  type PageRule,
  pathsAreRelative,
  promiseIn,
  readPage,
  readPages,
  testsNamedIn,
} from "./docs-pages.ts";
import type { SourceFile } from "./source-file.ts";

const pages = readPages();

const page = (text: string): SourceFile => ({ path: "docs/a.md", text });
const fence = (code: string): string => `\`\`\`ts\n${code}\n\`\`\`\n`;

test("the code in the docs compiles, and what does not is reported with its page and line", () => {
  const wrong = page(
    `# A\n\n<!-- preamble: x\nconst x = 1;\n-->\n\n<!-- with: x -->\n${fence("let y: string = x;")}`,
  );
  const blocks = [...pages, wrong].flatMap(blocksOf);
  expect(blocks.length).toBeGreaterThan(20);
  expect(problemsOf(blocks)).toEqual([
    "docs/a.md:9: error TS2322: Type 'number' is not assignable to type 'string'.",
  ]);
});

test("a block is compiled after those that it names, each once", () => {
  const blocks = blocksOf(
    page(
      `<!-- preamble: a\na;\n-->\n<!-- name: b -->\n<!-- with: a -->\n${fence("b;")}\n<!-- with: b, a -->\n${fence("c;")}`,
    ),
  );
  expect(blocks.map((block) => programOf(block, blocks))).toEqual(["a;\n", "a;\nb;\n", "a;\nb;\nc;\n"]);
});

test("a block that names one which is not there is an error", () => {
  const blocks = blocksOf(page(`<!-- with: nobody -->\n${fence("c;")}`));
  expect(() => blocks.map((block) => programOf(block, blocks))).toThrow("no block has the name nobody");
});

const RULES: Readonly<Record<string, PageRule>> = {
  linksLeadSomewhere,
  longPagesHaveContents,
  namedTestsExist,
  pathsAreRelative,
};

test.for(Object.entries(RULES))("the pages obey %s", ([, rule]) => {
  expect(pages.flatMap(rule)).toEqual([]);
});

const reported: readonly (readonly [PageRule, what: string, text: string])[] = [
  [linksLeadSomewhere, "a link to nothing", "[a](nothing.md)"],
  [linksLeadSomewhere, "a link to a heading that is not there", "# A\n[a](#b)"],
  [linksLeadSomewhere, "the same in another page", "[a](../README.md#nowhere)"],
  [linksLeadSomewhere, "a link that leaves the repository", "[a](../../else.md)"],
  [longPagesHaveContents, "a long page whose parts can't be found", `# A\n\n${"word ".repeat(2_000)}\n## B`],
  [namedTestsExist, "a test that is not there", "`packages/core/test/no-such.test.ts` defends it"],
  [pathsAreRelative, "a home", `cd ${["", "home", "me", "shop"].join("/")}`],
  [pathsAreRelative, "a disk", "C:\\shop"],
];

for (const [rule, what, text] of reported) {
  test(`${rule.name} reports ${what}`, () => {
    expect(rule(page(text))).toHaveLength(1);
  });
}

const allowed: readonly (readonly [PageRule, what: string, text: string])[] = [
  [
    linksLeadSomewhere,
    "a file, a heading and the web",
    "# A b\n[a](../README.md) [b](#a-b) [c](https://a.b/c)",
  ],
  [linksLeadSomewhere, "what is only code", "`a[0](b)`"],
  [longPagesHaveContents, "a short one", "# A\n## B"],
  [longPagesHaveContents, "a long one that has them", `# A\n- [B](#b)\n\n## B\n${"word ".repeat(2_000)}`],
  [namedTestsExist, "this test", "`test/docs.test.ts`"],
  [pathsAreRelative, "the path of a URL", "`GET /orders/42` on http://127.0.0.1:3000/var/x, or a/tmp/b"],
];

for (const [rule, what, text] of allowed) {
  test(`${rule.name} allows ${what}`, () => {
    expect(rule(page(text))).toEqual([]);
  });
}

test("every page of docs/ is in its table of contents, or in that of its folder", () => {
  const docs = pages.map(({ path }) => path).filter((path) => path.startsWith("docs/"));
  const listedIn = (contents: string, path: string): boolean =>
    docs.includes(contents) && readPage(contents).text.includes(`(${relative(dirname(contents), path)})`);
  const missing = docs.filter(
    (path) =>
      path !== "docs/README.md" &&
      !listedIn("docs/README.md", path) &&
      (basename(path) === "README.md" || !listedIn(join(dirname(path), "README.md"), path)),
  );
  expect(docs.length).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});

const PROMISES = ["P1", "P2", "P3", "P4", "P5", "P6", "P7"];

test.for(PROMISES)(
  "%s is made in the README and in docs/guarantees.md, and both name its tests",
  (promise) => {
    const inReadme = promiseIn("README.md", promise);
    const inGuarantees = promiseIn("docs/guarantees.md", promise);
    const first = testsNamedIn(inReadme);
    expect(first.length, "tests in the README").toBeGreaterThan(0);
    expect(testsNamedIn(inGuarantees)).toEqual(expect.arrayContaining(first));
  },
);
