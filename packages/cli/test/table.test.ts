import { expect, test } from "vitest";
import { type Column, table } from "../src/render/table.ts";
import type { Screen } from "../src/render/screen.ts";

const screenOf = (width: number, isTerminal = true): Screen => ({
  isTerminal,
  width,
  now: 0,
  paint: (_colour, text) => text,
});

interface Row {
  readonly no: number;
  readonly text: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "NO", of: ({ no }) => String(no), align: "right" },
  { title: "TEXT", of: ({ text }) => text, flexible: true },
];

test("wide and combined characters take the columns that a terminal gives them", () => {
  const rows = ["日本語のテキストが長い", "e\u0301".repeat(4), "👩‍👩‍👧‍👧 family", "plain"].map(
    (text, no) => ({ no, text }),
  );
  expect(table(COLUMNS, rows, screenOf(16)).split("\n")).toEqual([
    "NO  TEXT",
    " 0  日本語のテ…",
    ` 1  ${"e\u0301".repeat(4)}`,
    " 2  👩‍👩‍👧‍👧 family",
    " 3  plain",
    "",
  ]);
});

test("a cell is one line, in a terminal and in a pipe", () => {
  const rows = [
    { no: 1, text: "a\n  b\tc" },
    { no: 2, text: "" },
  ];
  expect(table(COLUMNS, rows, screenOf(40))).toBe("NO  TEXT\n 1  a b c\n 2  -\n");
  expect(table(COLUMNS, rows, screenOf(40, false))).toBe("NO\tTEXT\n1\ta b c\n2\t-\n");
});

test("a cell of a megabyte is cut like any other", () => {
  const [, line = ""] = table(COLUMNS, [{ no: 1, text: "x".repeat(1_000_000) }], screenOf(40)).split("\n");
  expect(line).toHaveLength(40);
});

test("where the columns don't fit, a row is a block with nothing cut off", () => {
  const columns: readonly Column<Row>[] = [
    ...COLUMNS,
    { title: "WHY", of: ({ text }) => `because of ${text}` },
  ];
  const rows = [
    { no: 1, text: "a long reason" },
    { no: 2, text: "" },
  ];
  expect(table(columns, rows, screenOf(20))).toBe(
    "NO    1\nTEXT  a long reason\nWHY   because of a long reason\n\nNO    2\nWHY   because of \n",
  );
});
