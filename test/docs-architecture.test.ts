// What docs/architecture.md and docs/writing-a-store.md list is compared with the code that it is listed from.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readPage } from "./docs-pages.ts";
import { readRepository, repositoryRoot } from "./source-file.ts";
import { descend, identifierName, isNode, type SyntaxNode, syntaxOf } from "./syntax.ts";

const architecture = readPage("docs/architecture.md").text;
const writingAStore = readPage("docs/writing-a-store.md").text;
const port = readPage("packages/core/src/store.ts");

function declared(name: string): SyntaxNode {
  const found = [...descend(syntaxOf(port).root)].find(({ node }) => identifierName(node["id"]) === name);
  if (found === undefined) throw new Error(`store.ts declares no ${name}`);
  return found.node;
}

/** The texts of a union of texts, also of those that it names. */
function textsOf(name: string): string[] {
  return [...descend(declared(name))].flatMap(({ node }) => {
    if (node.type === "TSTypeReference") return textsOf(identifierName(node["typeName"]) ?? "");
    return typeof node["value"] === "string" ? [node["value"]] : [];
  });
}

function section(text: string, heading: string): string {
  const from = text.indexOf(`\n${heading}\n`);
  if (from === -1) throw new Error(`there is no heading ${heading}`);
  const end = text.slice(from + 2).search(/^## /m);
  return text.slice(from, end === -1 ? undefined : from + 2 + end);
}

/** What the first column of the tables of a section names in backticks. */
function firstColumn(text: string): string[] {
  const cells = [...text.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell = ""]) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
}

const unique = (names: readonly string[]): string[] => [...new Set(names)].toSorted();

test("the state machine shows each status and no other", () => {
  const chart = /stateDiagram-v2\n(?<body>.*?)```/s.exec(architecture)?.groups?.["body"] ?? "";
  const states = [...chart.matchAll(/^\s+(\S+) --> ([^\s:]+)/gm)].flatMap(([, from = "", to = ""]) => [
    from,
    to,
  ]);
  expect(unique(states.filter((state) => state !== "[*]"))).toEqual(unique(textsOf("RunStatus")));
});

test("the transitions name each reason why a run is stuck", () => {
  const errors = readPage("packages/core/src/errors.ts");
  const codes = [...descend(syntaxOf(errors).root)]
    .filter(({ node }) => identifierName(node["id"]) === "StuckCode")
    .flatMap(({ node }) =>
      [...descend(node)].flatMap(({ node: { value } }) => (typeof value === "string" ? [value] : [])),
    );
  const named = section(architecture, "## The state machine").match(/`[A-Z_]{3,}`/g) ?? [];
  expect(unique(named.map((name) => name.slice(1, -1)))).toEqual(unique(codes));
});

test("the kinds of entries are those of the port", () => {
  expect(unique(firstColumn(section(architecture, "## One run")))).toEqual(unique(textsOf("EntryKind")));
});

test("the rules of a run are those that engine/machine.ts keeps", () => {
  const rules = readPage("packages/core/src/engine/machine.ts").text.matchAll(/^ \* (E\d) (.*)$/gm);
  const written = [...rules].map(([, number = "", rule = ""]) => `- **${number}** ${rule}`);
  expect(written.length).toBeGreaterThan(5);
  expect(section(architecture, "## One run").split("\n")).toEqual(expect.arrayContaining(written));
});

test("the tables are those of the schema", () => {
  const sources = ["schema.ts", "migrate.ts"].map(
    (name) => readPage(`packages/adapters/src/sqlite/${name}`).text,
  );
  const created = sources.join("").matchAll(/CREATE TABLE (?:IF NOT EXISTS )?(everstep_\w+)/g);
  expect(unique(firstColumn(section(architecture, "## SQLite")))).toEqual(
    unique([...created].map(([, name = ""]) => name)),
  );
});

test("the tables in Postgres are those of the schema", () => {
  const created = readPage("packages/adapters/src/postgres/schema.ts").text.matchAll(
    /CREATE TABLE everstep\.(\w+)/g,
  );
  expect(unique(firstColumn(section(architecture, "## Postgres")))).toEqual(
    unique([...created].map(([, name = ""]) => name)),
  );
});

test("the folders are there", () => {
  const tree = section(architecture, "## Where things are");
  let top = "";
  const paths = [...tree.matchAll(/^( *)([\w./-]+(?: [\w.]+\.ts)*) {2,}|^( *)(packages\/\S+)$/gm)].flatMap(
    ([, indent = "", names = "", , alone = ""]) => {
      if (alone !== "") top = alone;
      else if (indent === "") top = names;
      else return names.split(" ").map((name) => `${top}/${name}`);
      return [top];
    },
  );
  expect(paths.length).toBeGreaterThan(12);
  expect(paths.filter((path) => !existsSync(join(repositoryRoot, path)))).toEqual([]);
});

test("the page about stores has each method and each invariant, word for word", () => {
  const body = declared("Store")["body"];
  const members = isNode(body) && Array.isArray(body["body"]) ? body["body"].filter(isNode) : [];
  const methods = members.map((member) => identifierName(member["key"]) ?? "");
  const documented = firstColumn(section(writingAStore, "## The methods")).map((call) =>
    call.replace(/\(.*/, ""),
  );
  expect(unique(documented)).toEqual(unique(methods));

  const invariants = [...port.text.matchAll(/^ \* (S\d+) +(.*)$/gm)].map(
    ([, number, rule]) => `- **${number}** ${rule}`,
  );
  expect(
    section(writingAStore, "## The invariants")
      .split("\n")
      .filter((line) => line.startsWith("- **S")),
  ).toEqual(invariants);
});

test("each number of a failure or an invariant that a test carries is explained", () => {
  const tests = [...readRepository("packages"), ...readRepository("examples")].filter(({ path }) =>
    /\/(?:test|testing)\/.*\.ts$/.test(path),
  );
  const carried = (kind: string): string[] =>
    unique(tests.flatMap(({ text }) => text.match(new RegExp(`\\b${kind}\\d{1,3}\\b`, "g")) ?? []));
  const rows = (page: string): string[] =>
    [...readPage(page).text.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, number = ""]) => number);
  const failures = new Set(rows("docs/failures.md"));
  const invariants = new Set(rows("docs/guarantees.md"));
  expect(
    carried("F").filter((number) => !failures.has(number)),
    "add a row to docs/failures.md",
  ).toEqual([]);
  expect(
    carried("[IL]").filter((number) => !invariants.has(number)),
    "add a row to docs/guarantees.md",
  ).toEqual([]);
});
