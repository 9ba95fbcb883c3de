// The tables of docs/options.md against the types that users give.
import { expect, test } from "vitest";
import { readPage } from "./docs-pages.ts";
import { descend, identifierName, isNode, syntaxOf } from "./syntax.ts";

const { text } = readPage("docs/options.md");

const TABLES: readonly (readonly [heading: string, file: string, type: string])[] = [
  ["A workflow", "packages/core/src/definition.ts", "WorkflowOptions"],
  ["A step", "packages/core/src/context.ts", "StepOptions"],
  ["Retries", "packages/core/src/context.ts", "RetryPolicy"],
  ["A compensation", "packages/core/src/context.ts", "UndoOptions"],
  ["A call of a child", "packages/core/src/context.ts", "CallOptions"],
  ["Starting a run", "packages/core/src/runtime/client.ts", "StartOptions"],
  ["The client", "packages/core/src/runtime/client.ts", "ClientOptions"],
  ["The worker", "packages/core/src/runtime/worker.ts", "WorkerOptions"],
  ["The outbox", "packages/core/src/runtime/outbox-shipper.ts", "OutboxOptions"],
  ["SQLite", "packages/adapters/src/sqlite/sqlite.ts", "SqliteOptions"],
  ["Postgres", "packages/adapters/src/postgres/postgres.ts", "PostgresOptions"],
];

/** What the first column of a section's table names. */
function documented(heading: string): string[] {
  const from = text.indexOf(`\n## ${heading}\n`);
  const section = text.slice(from + 1).split(/^## /m)[1] ?? "";
  const cells = [...section.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell = ""]) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name)).toSorted();
}

function membersOf(file: string, type: string): string[] {
  const found = [...descend(syntaxOf(readPage(file)).root)].find(
    ({ node }) => node.type === "TSInterfaceDeclaration" && identifierName(node["id"]) === type,
  );
  const body = found?.node["body"];
  const members = isNode(body) && Array.isArray(body["body"]) ? body["body"].filter(isNode) : [];
  return members.map((member) => identifierName(member["key"]) ?? "").toSorted();
}

test.for(TABLES)("the table of %s has each option of its type, and no other", ([heading, file, type]) => {
  const members = membersOf(file, type);
  expect(members.length).toBeGreaterThan(1);
  expect(documented(heading)).toEqual(members);
});

test("each section of options is compared with a type", () => {
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading = ""]) => heading);
  expect(headings).toEqual([...TABLES.map(([heading]) => heading), "Limits"]);
});
