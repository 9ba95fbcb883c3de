import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apiReport, declarationsIn, emitDeclarations } from "./api-report.ts";
import { repositoryRoot, type SourceFile } from "./source-file.ts";

const update = process.env["UPDATE_API"] === "1";
const folder = mkdtempSync(join(tmpdir(), "everstep-api-"));

beforeAll(() => {
  emitDeclarations(folder);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const ENTRY_POINTS = [
  { title: "@everstep/core", file: "core/src/index.ts", report: "core.api.md" },
  {
    title: "@everstep/core/testing",
    file: "core/src/testing/index.ts",
    beside: ["core/src/index.ts"],
    report: "core-testing.api.md",
  },
  {
    title: "@everstep/adapters/postgres",
    file: "adapters/src/postgres/index.ts",
    report: "adapters-postgres.api.md",
  },
  {
    title: "@everstep/adapters/sqlite",
    file: "adapters/src/sqlite/index.ts",
    report: "adapters-sqlite.api.md",
  },
];

test.for(ENTRY_POINTS)("the API of $title is the reviewed one", ({ report, ...entry }) => {
  const path = join(repositoryRoot, "api", report);
  const now = apiReport(entry, declarationsIn(folder));
  if (update) writeFileSync(path, now);
  const reviewed = existsSync(path) ? readFileSync(path, "utf8") : "";
  expect(now, "after a review: UPDATE_API=1 npm test -- test/api.test.ts").toBe(reviewed);
});

test("every published entry point has a report", () => {
  const published = ["core", "adapters"].flatMap((name) => {
    const manifest = readFileSync(join(repositoryRoot, "packages", name, "package.json"), "utf8");
    const { exports } = JSON.parse(manifest) as { exports: Record<string, unknown> };
    return Object.keys(exports).map((path) => `@everstep/${name}${path.slice(1)}`);
  });
  expect(ENTRY_POINTS.map(({ title }) => title)).toEqual(published);
});

test("a report holds what the exports lead to, and nothing else", () => {
  const files = new Map([
    ["index.ts", 'export { run, type Options as RunOptions } from "./run.ts";\nexport * from "./all.ts";'],
    [
      "run.ts",
      [
        'import type { Inner } from "./inner.ts";',
        "export interface Options { readonly unrelated: Inner; }",
        "export declare function run(id: string): void;",
        "export declare function run(id: string, options: Options): void;",
        "export interface unrelated { }",
      ].join("\n"),
    ],
    ["inner.ts", "type Depth = 1;\nexport type Inner = Depth;\nexport type Other = 2;"],
    ["all.ts", "declare const one: 1;\nexport { one };"],
    [
      "testing.ts",
      'import type { Inner } from "./inner.ts";\nimport type { Options } from "./run.ts";\nexport type Both = [Inner, Options];',
    ],
  ]);
  const read = (path: string): SourceFile => ({ path, text: files.get(path) ?? "" });
  const parts = (report: string): string[] => report.split("\n\n").slice(2);

  expect(parts(apiReport({ title: "x", file: "index.ts" }, read))).toEqual([
    "```ts\n// RunOptions is the exported name of Options\ninterface Options { readonly unrelated: Inner; }",
    "const one: 1;",
    "function run(id: string): void;\nfunction run(id: string, options: Options): void;\n```",
    "## Mentioned above, not exported",
    "```ts\ntype Depth = 1;",
    "type Inner = Depth;\n```",
    "",
  ]);

  const beside = ["index.ts"];
  expect(parts(apiReport({ title: "x/testing", file: "testing.ts", beside }, read))).toEqual([
    "```ts\ntype Both = [Inner, Options];\n```",
    "## Mentioned above, not exported",
    "```ts\ntype Depth = 1;",
    "type Inner = Depth;\n```",
    "",
  ]);
});
