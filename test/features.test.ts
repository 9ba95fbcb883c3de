import { expect, test } from "vitest";
import { readPage } from "./docs-pages.ts";
import { featureRows, rowProblems, sectionProblems, titlesIn } from "./features.ts";
import { readRepository, type SourceFile } from "./source-file.ts";

/** What other systems offer, by the section of docs/features.md that answers it. */
const FEATURES: Readonly<Record<string, readonly string[]>> = {
  "Steps, retries, timeouts, errors": [
    "Durable step",
    "Retry fields",
    "Retry defaults",
    "Workflow or handler retry",
    "Terminal error",
    "Retry-after",
    "Pause instead of fail",
    "Step timeout",
    "Workflow timeout",
    "Heartbeats",
    "Completion of a step from outside",
    "Transactional step on your database",
    "Starting a run in your own transaction",
  ],
  "Control flow": [
    "Sagas",
    "Durable sleep",
    "Schedules",
    "Delayed start",
    "Signals",
    "Awakeable or promise",
    "Queries",
    "Updates, validated and answered",
    "Child workflows",
    "Combinators",
    "Structured concurrency",
    "Continue-as-new",
    "Cancellation",
    "Virtual objects, state by key",
    "DAG",
    "Event triggers",
    "Streaming out",
  ],
  "Identity, queues, flow control": [
    "Idempotency",
    "Policy for an id that is taken",
    "Concurrency limits",
    "Rate limits",
    "Priority",
    "Fairness",
    "Debounce",
    "Batching",
    "Routing, affinity",
    "Multi-tenancy",
  ],
  "Versions, repair, storage": [
    "Determinism helpers",
    "Mismatch detection",
    "Patching",
    "Pinning, rollout",
    "Restart from a step",
    "Pause and resume",
    "Bulk operations",
    "Search, tags",
    "Retention",
    "Payload limits",
    "Serialization",
    "Encryption codec",
    "Input validation",
    "Hooks",
    "OpenTelemetry, metrics",
    "Log capture",
    "UI",
    "Admin API",
    "Tests",
    "Serverless",
    "AI, MCP",
  ],
  "Workflow engines": [
    "Define",
    "Start",
    "Step API",
    "Retry default",
    "Retry-after",
    "Timeouts",
    "Terminal error",
    "Compensation",
    "Sleep",
    "Signals",
    "Child workflows",
    "Parallel",
    "Schedules",
    "Concurrency",
    "Rate, throttle, debounce, batch, singleton, priority",
    "Idempotency",
    "Idempotency key for vendors",
    "Cancel",
    "Pause",
    "Versioning",
    "Journal key",
    "Duplicate names",
    "Tx enqueue",
    "Tx step",
    "Wake",
    "Lease, heartbeat",
    "Crash recovery",
    "Serialization",
    "Validation",
    "Limits",
    "Retention",
    "OpenTelemetry",
    "Dashboard",
    "CLI",
    "Test tools",
    "Runtime dependencies",
    "Node and modules",
    "SQLite",
  ],
  "Job queues": [
    "Unit",
    "Step API",
    "Retry default",
    "Timeout",
    "Compensation",
    "DAG, children",
    "Schedules",
    "Queue limits",
    "Idempotency",
    "Tx enqueue",
    "Tx complete",
    "Wake",
    "Lease",
    "Fence of completion",
    "Journal",
    "Retention",
    "CLI",
    "UI",
    "Tests",
    "Backends",
    "Dependencies and Node",
  ],
};

const files = readRepository();
const rows = featureRows(readPage("docs/features.md").text);

test.for(Object.entries(FEATURES))("each feature of %s has one row", ([section, features]) => {
  expect(sectionProblems(rows, section, features)).toEqual([]);
});

test("no table is of a section that is nobody's", () => {
  expect([...new Set(rows.map(({ section }) => section))]).toEqual(Object.keys(FEATURES));
});

test("what everstep has is shown by tests that are there, what it has not is said why", () => {
  expect(rows.flatMap((row) => rowProblems(row, files))).toEqual([]);
});

const file = (path: string, text = ""): SourceFile => ({ path, text });
const page = (...lines: readonly string[]): string => ["## A", ...lines].join("\n");
const shown = "[it sleeps](../packages/a/test/b.test.ts)";
const carrier = file("packages/a/test/b.test.ts", 'test("it sleeps", () => {});');
const problemsOf = (line: string, ...tests: readonly SourceFile[]): string[] =>
  featureRows(page(line)).flatMap((row) => rowProblems(row, tests));

test("a row is read with its section and its tests", () => {
  expect(
    featureRows(page("| feature | everstep | how | test |", `| Sleep | have | for years | ${shown} |`)),
  ).toEqual([
    {
      section: "A",
      feature: "Sleep",
      answer: "have",
      how: "for years",
      tests: [{ title: "it sleeps", path: "packages/a/test/b.test.ts" }],
    },
  ]);
});

test("a feature without a row, with two, and one that is nobody's are reported", () => {
  const all = featureRows(page("| a | not | b | — |", "| a | not | b | — |", "| c | not | b | — |"));
  expect(sectionProblems(all, "A", ["a", "b"])).toEqual([
    "A: b has no row",
    "A: c is nobody's",
    "A: a has two rows",
  ]);
});

test.for<readonly [line: string, problem: string]>([
  [`| Sleep | perhaps | for years and years | ${shown} |`, "A: Sleep is answered perhaps"],
  [`| Sleep | have | yes | ${shown} |`, "A: Sleep does not say how, or why not"],
  ["| Sleep | have | for years and years | — |", "A: Sleep is shown by no test"],
  ["| Sleep | planned | for next year, perhaps | — |", "A: Sleep names no issue"],
  ["| Sleep | have | for years and years | [a](../b.test.ts) |", "A: Sleep: there is no b.test.ts"],
  [
    "| Sleep | have | for years and years | [it naps](../packages/a/test/b.test.ts) |",
    'A: Sleep: packages/a/test/b.test.ts has no test "it naps"',
  ],
])("a row that shows nothing is reported: %s", ([line, problem]) => {
  expect(problemsOf(line, carrier)).toEqual([problem]);
});

test.for([
  `| Sleep | have | for years and years | ${shown} |`,
  "| Sleep | not | nobody sleeps here | — |",
  "| Sleep | planned | no issue yet | — |",
])("a row that shows what it says is fine: %s", (line) => {
  expect(problemsOf(line, carrier)).toEqual([]);
});

test("the names of tests are those of tests and groups, and of the cases of a conformance topic", () => {
  const text = `
    describe("a", () => { test("b", () => {}); test.for([1])("c %s", f); it(\`d\`, f); other("e"); });
    test(\`f \${g}\`, f);`;
  expect([...titlesIn(file("a.test.ts", text))]).toEqual(["a", "b", "c %s", "d"]);
  const topic = file(
    "packages/core/src/testing/conformance/a.ts",
    'export const a = { "S1: b": () => "c" };',
  );
  expect([...titlesIn(topic)]).toEqual(["S1: b"]);
});
