import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { columnReader } from "../src/stand-ins/tinybird/column.ts";
import { datasourceOf } from "../src/stand-ins/tinybird/datasource.ts";
import { rowsIn, sorted } from "../src/stand-ins/tinybird/events.ts";
import { pipeOf } from "../src/stand-ins/tinybird/pipe.ts";
import { readProject } from "../src/stand-ins/tinybird/project.ts";
import { REQUESTS_MAX, RequestRate } from "../src/stand-ins/tinybird/request-rate.ts";
import { templateOf, valuesFor } from "../src/stand-ins/tinybird/template.ts";

const folder = fileURLToPath(new URL("../../../tinybird", import.meta.url));

describe("the datafiles of the shop", () => {
  test("are understood by Tinybird's own tool", async () => {
    const tool = fileURLToPath(new URL("../bin/tinybird.js", import.meta.resolve("@tinybirdco/sdk")));
    const { stdout } = await promisify(execFile)(process.execPath, [tool, "migrate", folder, "--dry-run"]);
    expect(stdout).toContain("2 datasource(s), 5 pipe(s)");
  });

  test("are understood by the stand-in, which shows their tables and their parameters", () => {
    const { datasources, pipes } = readProject(folder);
    expect(datasources.get("orders")?.createTable).toBe(
      "CREATE TABLE orders (`order_id` String, `user_id` String, `total_cents` Int64, `item_count` Int32, `timestamp` DateTime) " +
        "ENGINE = ReplacingMergeTree() PARTITION BY toYYYYMM(timestamp) ORDER BY (timestamp, order_id)",
    );
    const parameters = [...pipes].map(([name, pipe]) => [
      name,
      Object.fromEntries(pipe.parameters.map(({ name, fallback }) => [name, fallback])),
    ]);
    expect(Object.fromEntries(parameters)).toEqual({
      failed_steps: { seconds: "60", minutes: "60" },
      recent_orders: { seconds: "60", minutes: "60" },
      revenue_dashboard: { hours: "24" },
      step_latency: { minutes: "60" },
      stuck_runs: { limit: "100" },
    });
  });

  test("let one token append and another one read, and nothing else", () => {
    const { datasources, pipes } = readProject(folder);
    for (const { tokens } of datasources.values())
      expect(tokens).toEqual([{ name: "shop_append", scope: "APPEND" }]);
    for (const { tokens } of pipes.values()) expect(tokens).toEqual([{ name: "shop_read", scope: "READ" }]);
  });
});

describe("what the stand-in does not know is refused", () => {
  const schema = "SCHEMA >\n    `a` String `json:$.a`\n";
  const engine = 'ENGINE "MergeTree"\nENGINE_SORTING_KEY "a"\n';

  test.for([
    [`${schema}ENGINE "SummingMergeTree"`, "engine SummingMergeTree"],
    [`${schema}${engine}KAFKA_TOPIC "t"`, "KAFKA_TOPIC of a datasource"],
    [`SCHEMA >\n    \`a\` String\n${engine}`, "the column `a` String"],
    [`SCHEMA >\n    \`a\` String \`json:$.a\` DEFAULT ''\n${engine}`, "DEFAULT"],
    [`SCHEMA >\n    \`a\` Array(String) \`json:$.a[:]\`\n${engine}`, "Array"],
    [`SCHEMA >\n    \`a\` UUID \`json:$.a\`\n${engine}`, "the type UUID"],
    [`${schema}${engine}TOKEN reader READ WRITE`, "TOKEN reader READ WRITE"],
    ["    indented", "belongs to no directive"],
    ["select 1", "is no directive"],
  ] as const)("in a datasource: %j", ([text, complaint]) => {
    expect(() => datasourceOf("d", text)).toThrow(complaint);
  });

  test.for([
    ["NODE n\nSQL >\n    SELECT 1\n", "TYPE endpoint"],
    ["NODE n\nSQL >\n    SELECT 1\nTYPE materialized\nDATASOURCE d", "DATASOURCE of a pipe"],
    ["TYPE endpoint", "no node with SQL"],
    ["NODE n\nSQL >\n    WITH 1 AS x SELECT x\nTYPE endpoint", "begin with SELECT"],
    ["NODE n\nSQL >\n    SELECT {{Int32(a, 1)}}\nTYPE endpoint", "begins with %"],
  ] as const)("in a pipe: %j", ([text, complaint]) => {
    expect(() => pipeOf("p", text)).toThrow(complaint);
  });

  test.for([
    "{% if defined(a) %}",
    "{{ columns(a) }}",
    "{{ Int32(a, now()) }}",
    "{{ Int32('a') }}",
    "{{ Array(a, 'Int32') }}",
    "{# no #}",
    "{{ Int32(a, 1)",
  ])("in a template: %s", (piece) => {
    expect(() => templateOf(`% SELECT ${piece}`)).toThrow("the stand-in does not");
  });
});

describe("a template", () => {
  const { sql, parameters } = templateOf(
    "%\nSELECT {{ Int32(n, -2, description=\"how many, if any\", required=False) }}, {{String(s, 'it')}}, {{ DateTime(at) }}",
  );

  test("leaves a place for each value, which never enters the SQL", () => {
    expect(sql).toBe("SELECT {n:Int32}, {s:String}, {at:DateTime}");
  });

  test("takes what is given, and defaults for the rest", () => {
    const given = new URLSearchParams({ at: "2026-01-01 00:00:00", s: "' OR 1=1 --", other: "ignored" });
    expect(valuesFor(parameters, given)).toEqual({ n: "-2", s: "' OR 1=1 --", at: "2026-01-01 00:00:00" });
  });

  test.for([
    [{}, "at is required"],
    [{ at: "2026-01-01" }, "at must be DateTime"],
    [{ at: "2026-01-01 00:00:00", n: "1.5" }, "n must be Int32"],
    [{ at: "2026-01-01 00:00:00", n: "1; DROP TABLE orders" }, "n must be Int32"],
    [{ at: "2026-01-01 00:00:00", n: "" }, "n must be Int32"],
  ] as const)("refuses %j", ([given, complaint]) => {
    expect(() => valuesFor(parameters, new URLSearchParams(given))).toThrow(complaint);
  });
});

describe("a value of a row", () => {
  test.for([
    ["String", ["", "ü", "a\nb"], [1, true, null, undefined, {}, []]],
    ["LowCardinality(String)", ["a"], [1, null]],
    ["Int32", [0, -2147483648, 2147483647], [2147483648, 1.5, "1", null, true]],
    ["Int64", [9007199254740991], [9007199254740992, "1"]],
    ["Nullable(Int64)", [1, null, undefined], ["1", 1.5]],
    ["Float64", [1.5, -1], ["1.5", null]],
    [
      "DateTime",
      ["2026-02-28 23:59:59", "1970-01-01 00:00:00", "2024-02-29 00:00:00"],
      [
        "2026-02-29 00:00:00",
        "2026-02-28T23:59:59Z",
        "2026-02-28 23:59:59.5",
        "2026-02-28 24:00:00",
        "2026-13-01 00:00:00",
        "1969-12-31 23:59:59",
        "2106-02-07 06:28:16",
        "2026-02-28",
        1795414200,
      ],
    ],
    ["DateTime64(3)", ["2026-02-28 23:59:59.123", "2026-02-28 23:59:59"], ["2026-02-28 23:59:59.1234"]],
  ] as const)("of type %s", ([type, good, bad]) => {
    const read = columnReader(type);
    for (const value of good) expect(read(value)).toEqual({ value: value ?? null });
    for (const value of bad) expect(read(value)).toHaveProperty("problem");
  });
});

describe("the rows of a request", () => {
  const datasource = datasourceOf(
    "d",
    'SCHEMA >\n    `a` String `json:$.a`,\n    `b` Nullable(Int32) `json:$.deep.b`\nENGINE "MergeTree"\nENGINE_SORTING_KEY "a"',
  );

  test("are one JSON object a line, with empty lines, carriage returns and no last newline", () => {
    expect(rowsIn('{"a":"x"}\r\n\n{"a":"y"}')).toEqual([{ a: "x" }, { a: "y" }]);
  });

  test.for(["", "\n \n", '[{"a":"x"}]', '{"a":"x"}\n{"a":', "1", "null", '{"a":"x"}{"a":"y"}'])(
    "are refused whole when they are %j",
    (body) => {
      expect(() => rowsIn(body)).toThrow(/Row \d is not a JSON object|no rows/);
    },
  );

  test("are taken apart by the paths of the columns; what else is in them is left out", () => {
    const rows = sorted(datasource, [{ a: "x", deep: { b: 1 }, more: 2 }, { a: "y" }]);
    expect(rows).toEqual({
      fitting: [
        { a: "x", b: 1 },
        { a: "y", b: null },
      ],
      quarantined: [],
    });
  });

  test("that don't fit are kept apart with all that is wrong with them", () => {
    const rows = sorted(datasource, [
      { a: 1, deep: { b: "x" } },
      { deep: [] },
      JSON.parse('{"__proto__":{"a":"x"}}'),
    ]);
    expect(rows.fitting).toEqual([]);
    expect(rows.quarantined[0]).toEqual({
      values: { a: "1", b: "x" },
      columns: ["a", "b"],
      problems: ["value on column 'a' 1 is not String", `value on column 'b' "x" is not Int32`],
    });
    expect(rows.quarantined.slice(1).map(({ problems }) => problems)).toEqual([
      ["value on column 'a' is missing"],
      ["value on column 'a' is missing"],
    ]);
  });
});

test("a datasource takes a hundred requests a second", () => {
  const rate = new RequestRate();
  const taken = Array.from({ length: REQUESTS_MAX + 1 }, (_, index) => rate.take("orders", 5_000 + index));
  expect(taken.filter(({ allowed }) => allowed)).toHaveLength(REQUESTS_MAX);
  expect(taken.at(-1)).toEqual({ allowed: false, remaining: 0, resetSeconds: 1 });
  expect(rate.take("run_events", 5_100)).toMatchObject({ allowed: true, remaining: 99 });
  expect(rate.take("orders", 6_000)).toMatchObject({ allowed: true, remaining: 99 });
});
