import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { headingsOf, readPage } from "./docs-pages.ts";
import { readRepository, repositoryRoot } from "./source-file.ts";
import { descend, identifierName, isNode, type SyntaxNode, syntaxOf } from "./syntax.ts";

const path = "packages/core/src/errors.ts";
const { root } = syntaxOf({ path, text: readFileSync(join(repositoryRoot, path), "utf8") });
const documented = readPage("docs/errors.md").text;

const isCode = (value: unknown): value is string => typeof value === "string" && /^[A-Z][A-Z_]+$/.test(value);

function codesIn(node: SyntaxNode): string[] {
  return [...descend(node)].map((visit) => visit.node["value"]).filter(isCode);
}

/** The text under each heading of the second level, by the heading. */
function sections(): Map<string, string> {
  const parts = documented.split(/^## /m).slice(1);
  return new Map(parts.map((part) => [part.split("\n", 1)[0] ?? "", part]));
}

test("each code of errors.ts has a section in docs/errors.md, and no section is of a code that is not there", () => {
  const headings = headingsOf(documented).filter(isCode);
  expect(headings.toSorted()).toEqual([...new Set(codesIn(root))].toSorted());
});

test("the section of a class names it", () => {
  const classes = [...descend(root)]
    .map(({ node }) => node)
    .filter(({ type }) => type === "ClassDeclaration");
  const unnamed = classes.flatMap((node) => {
    const name = identifierName(node["id"]) ?? "";
    const [code] = codesIn(node);
    return code === undefined || sections().get(code)?.includes(`\`${name}\``) === true ? [] : [name];
  });
  expect(classes.length).toBeGreaterThan(10);
  expect(unnamed).toEqual([]);
});

test("each section says what happened, what is durable and what to do", () => {
  const parts = ["**What happened.**", "**What is durable.**", "**What to do.**"];
  const incomplete = [...sections()].filter(
    ([heading, text]) => isCode(heading) && !parts.every((part) => text.includes(part)),
  );
  expect(incomplete.map(([heading]) => heading)).toEqual([]);
});

test("no error is made under a code that errors.ts does not know", () => {
  const known = new Set(codesIn(root));
  const made = readRepository("packages")
    .filter((file) => /^packages\/[^/]+\/src\/.*\.ts$/.test(file.path))
    .flatMap((file) => [...descend(syntaxOf(file).root)].flatMap(({ node }) => madeBy(node)));
  expect(made.filter((code) => !known.has(code))).toEqual([]);
});

/** The code given to `new EverstepError(…)` or `machine.stick(…)`. */
function madeBy(node: SyntaxNode): string[] {
  const { callee } = node as { readonly callee?: unknown };
  const called = isNode(callee) && callee.type === "MemberExpression" ? callee["property"] : callee;
  if (!["EverstepError", "stick"].includes(identifierName(called) ?? "")) return [];
  const given: unknown = node["arguments"];
  const first: unknown = Array.isArray(given) ? given[0] : undefined;
  return isNode(first) && isCode(first["value"]) ? [first["value"]] : [];
}
