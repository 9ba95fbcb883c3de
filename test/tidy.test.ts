import { expect, test } from "vitest";
import { readRepository, type SourceFile } from "./source-file.ts";
import {
  coreStaysLight,
  dependenciesPointOneWay,
  engineIsPure,
  exceptionsGiveReasons,
  fileIsShort,
  functionsAreShort,
  indexOnlyReexports,
  nameSaysWhat,
  nothingUnfinished,
  promisesNoMiracle,
  publishesWhatItRuns,
  RULES,
  type Rule,
} from "./tidy.ts";

const repository = readRepository();

// The first of them parses the whole repository.
test.for(Object.entries(RULES))("the repository obeys %s", ([, rule]) => {
  expect(repository.flatMap(rule)).toEqual([]);
});

test("the rules see the sources", () => {
  expect(repository.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["package.json", "packages/core/src/store.ts", "scripts/run.mjs", "README.md"]),
  );
});

const file = (path: string, text = ""): SourceFile => ({ path, text });
const inEngine = (text: string): SourceFile => file("packages/core/src/engine/x.ts", text);

/** Words that this file, which is read as well, cannot hold. */
const spell = (...pieces: string[]): string => pieces.join("");

const lines = (count: number): string => "a();\n".repeat(count);

type Case = readonly [rule: Rule, what: string, source: SourceFile];

const reported: readonly Case[] = [
  [engineIsPure, "Date.now", inEngine("Date.now();")],
  [engineIsPure, "Date.now by its name in brackets", inEngine('Date["now"]();')],
  [engineIsPure, "the present as a Date", inEngine("new Date();")],
  [engineIsPure, "Date as a function", inEngine("Date();")],
  [engineIsPure, "Math.random", inEngine("Math.random();")],
  [engineIsPure, "a timer", inEngine("setTimeout(f, 1);")],
  [engineIsPure, "a timer of the global object", inEngine("globalThis.setTimeout(f, 1);")],
  [engineIsPure, "an interval", inEngine("setInterval(f, 1);")],
  [engineIsPure, "an immediate", inEngine("const later = setImmediate;")],
  [engineIsPure, "a microtask", inEngine("queueMicrotask(f);")],
  [engineIsPure, "performance", inEngine("performance.now();")],
  [engineIsPure, "crypto", inEngine("crypto.randomUUID();")],
  [engineIsPure, "a promise", inEngine("Promise.resolve();")],
  [engineIsPure, "a promise's type", inEngine("let a: Promise<void>;")],
  [engineIsPure, "an async function", inEngine("async function f() {}")],
  [engineIsPure, "an async arrow", inEngine("const f = async () => 1;")],
  [engineIsPure, "an async method", inEngine("class A { async f() {} }")],
  [engineIsPure, "await", inEngine("await f();")],
  [engineIsPure, "for await", inEngine("for await (const a of b) f(a);")],
  [engineIsPure, "import()", inEngine('import("./a.ts");')],
  [
    engineIsPure,
    "a module of Node.js",
    inEngine('import { setTimeout as wait } from "node:timers/promises";'),
  ],
  [engineIsPure, "a type of Node.js", inEngine('let a: import("node:fs").Stats;')],

  [dependenciesPointOneWay, "base → engine", file("packages/core/src/errors.ts", 'import "./engine/a.ts";')],
  [dependenciesPointOneWay, "engine → runtime", inEngine('import type { A } from "../runtime/a.ts";')],
  [dependenciesPointOneWay, "engine → top", inEngine('export * from "../workflow.ts";')],
  [
    dependenciesPointOneWay,
    "runtime → index",
    file("packages/core/src/runtime/a.ts", 'import "../index.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "runtime → testing",
    file("packages/core/src/runtime/a.ts", 'import "../testing/a.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "index → testing",
    file("packages/core/src/index.ts", 'export * from "./testing/a.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "core → adapters",
    file("packages/core/src/a.ts", 'import "@everstep/adapters/sqlite";'),
  ],
  [
    dependenciesPointOneWay,
    "core → its own entry",
    file("packages/core/src/a.ts", 'import "@everstep/core";'),
  ],
  [
    dependenciesPointOneWay,
    "adapters → the test kit",
    file("packages/adapters/src/sqlite/a.ts", 'import "@everstep/core/testing";'),
  ],
  [
    dependenciesPointOneWay,
    "adapters → core's files",
    file("packages/adapters/src/sqlite/a.ts", 'import "../../../core/src/store.ts";'),
  ],
  [dependenciesPointOneWay, "src → test", file("packages/cli/src/a.ts", 'import "../test/a.ts";')],
  [
    dependenciesPointOneWay,
    "cli → a private door",
    file("packages/cli/src/a.ts", 'import "@everstep/core/src/a.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "an example → a package's files",
    file("examples/a/src/b.ts", 'import "../../../packages/core/src/store.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "an example's service → a server for tests",
    file("examples/a/src/b.ts", 'import "@everstep/postgres-server";'),
  ],
  [
    dependenciesPointOneWay,
    "an example's page → a browser for tests",
    file("examples/a/src/b.ts", 'import "@everstep/browser";'),
  ],
  [dependenciesPointOneWay, "an example → the cli", file("examples/a/src/b.ts", 'import "@everstep/cli";')],
  [
    dependenciesPointOneWay,
    "bench → a package's files",
    file("bench/a.ts", 'import "../packages/core/src/store.ts";'),
  ],

  [fileIsShort, "401 lines", file("packages/core/src/a.ts", lines(401))],
  [fileIsShort, "a long script", file("scripts/a.mjs", lines(401))],
  [
    functionsAreShort,
    "a function of 61 lines",
    file("packages/core/src/a.ts", `function f() {\n${lines(59)}}`),
  ],
  [
    functionsAreShort,
    "an arrow of 61 lines",
    file("examples/a/src/b.ts", `const f = () => {\n${lines(59)}};`),
  ],
  [functionsAreShort, "a method of 61 lines", file("scripts/a.ts", `class A {\nf() {\n${lines(59)}}\n}`)],

  [nameSaysWhat, "camelCase", file("packages/core/src/stepKey.ts")],
  [nameSaysWhat, "snake_case", file("test/step_key.test.ts")],
  [nameSaysWhat, "utils", file("packages/core/src/utils.ts")],
  [nameSaysWhat, "one word of several", file("packages/core/src/runtime/lease-manager.ts")],
  [nameSaysWhat, "a folder", file("examples/a/src/common/b.ts")],
  [indexOnlyReexports, "a declaration", file("packages/core/src/index.ts", "export const a = 1;")],
  [indexOnlyReexports, "an import", file("packages/core/src/testing/index.ts", 'import "./a.ts";')],
  [indexOnlyReexports, "a local export", file("packages/core/src/index.ts", "export {};")],

  [nothingUnfinished, "something to do", file("packages/core/src/a.ts", spell("// TO", "DO: later"))],
  [nothingUnfinished, "something to mend", file("docs/a.md", spell("FIX", "ME"))],
  [nothingUnfinished, "a linter switched off", file("test/a.ts", spell("// eslint-dis", "able"))],
  [nothingUnfinished, "a compiler switched off", file("test/a.ts", spell("// @ts-ig", "nore"))],
  [exceptionsGiveReasons, "no reason", file("test/a.ts", spell("// oxlint-dis", "able-next-line no-eval"))],
  [promisesNoMiracle, "in prose", file("docs/a.md", spell("Runs exactly ", "once."))],
  [promisesNoMiracle, "with a hyphen", file("packages/core/src/a.ts", spell("// Exactly-", "once steps"))],
  [
    promisesNoMiracle,
    "over two lines",
    file("packages/core/src/a.ts", spell(" * runs exactly\n * ", "once")),
  ],

  [
    publishesWhatItRuns,
    "an entry point that is not published",
    file(
      "packages/core/package.json",
      '{ "exports": { ".": { "default": "./a.js" } }, "publishConfig": { "exports": {} } }',
    ),
  ],
  [
    publishesWhatItRuns,
    "a published source",
    file(
      "packages/core/package.json",
      '{ "exports": { "@everstep/source": "a" }, "publishConfig": { "exports": { "@everstep/source": "a" } } }',
    ),
  ],
  [
    coreStaysLight,
    "a dependency",
    file("packages/core/package.json", '{ "dependencies": { "express": "*" } }'),
  ],
];

for (const [rule, what, source] of reported) {
  test(`${rule.name} reports ${what}`, () => {
    expect(rule(source)).toHaveLength(1);
  });
}

const allowed: readonly Case[] = [
  [engineIsPure, "a Date from an instant", inEngine("new Date(at);")],
  [engineIsPure, "a property that shares a name", inEngine("journal.performance = { crypto: 1 };")],
  [engineIsPure, "other arithmetic", inEngine("Math.max(1, 2);")],
  [engineIsPure, "the runtime", file("packages/core/src/runtime/a.ts", "await Promise.resolve(Date.now());")],
  [
    dependenciesPointOneWay,
    "the demo → a server for tests",
    file("examples/a/src/demo/b.ts", 'import "@everstep/postgres-server";'),
  ],
  [dependenciesPointOneWay, "engine → base", inEngine('import { A } from "../errors.ts";')],
  [
    dependenciesPointOneWay,
    "runtime → engine",
    file("packages/core/src/runtime/a.ts", 'import "../engine/a.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "testing → runtime",
    file("packages/core/src/testing/a.ts", 'import "../runtime/a.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "adapters → core",
    file("packages/adapters/src/sqlite/a.ts", 'import "@everstep/core";'),
  ],
  [
    dependenciesPointOneWay,
    "a test → the test kit",
    file("packages/adapters/test/a.ts", 'import "@everstep/core/testing";'),
  ],
  [
    dependenciesPointOneWay,
    "a test → its package's files",
    file("packages/core/test/a.ts", 'import "../src/store.ts";'),
  ],
  [
    dependenciesPointOneWay,
    "an example → an adapter",
    file("examples/a/src/b.ts", 'import "@everstep/adapters/sqlite";'),
  ],
  [fileIsShort, "400 lines", file("packages/core/src/a.ts", lines(400))],
  [
    functionsAreShort,
    "a function of 60 lines",
    file("packages/core/src/a.ts", `function f() {\n${lines(58)}}`),
  ],
  [nameSaysWhat, "kebab-case", file("packages/core/src/step-key.slow.test.ts")],
  [
    indexOnlyReexports,
    "re-exports",
    file("packages/core/src/index.ts", 'export { a, type B } from "./a.ts";'),
  ],
  [
    exceptionsGiveReasons,
    "a reason",
    file("test/a.ts", spell("// oxlint-dis", "able-next-line no-eval -- it is the subject")),
  ],
  [promisesNoMiracle, "a transaction", file("docs/a.md", spell("In a `transaction`, exactly ", "once."))],
  [
    publishesWhatItRuns,
    "the same without the source",
    file(
      "packages/core/package.json",
      '{ "exports": { "@everstep/source": "a", "default": "b" }, "publishConfig": { "exports": { "default": "b" } } }',
    ),
  ],
];

for (const [rule, what, source] of allowed) {
  test(`${rule.name} allows ${what}`, () => {
    expect(rule(source)).toEqual([]);
  });
}
