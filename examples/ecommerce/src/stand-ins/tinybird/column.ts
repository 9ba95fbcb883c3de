import { DatafileError } from "./datafile.ts";

/** A value as it came in JSON, read for a column: what goes into the table, or why it does not fit. */
export type ColumnReader = (value: unknown) => Reading;
type Reading = { readonly value: string | number | null } | { readonly problem: string };

/**
 * How values of a ClickHouse type are read. ClickHouse itself would be too kind: it takes a missing value for zero, and wraps a
 * number that is too large. Where it is not known how kind Tinybird is, this is the stricter: a row that fits here fits there.
 */
export function columnReader(type: string): ColumnReader {
  const inner = /^(LowCardinality|Nullable)\((.+)\)$/.exec(type);
  if (inner?.[1] === "Nullable") return orNull(columnReader(inner[2] ?? ""));
  if (inner?.[1] === "LowCardinality") return columnReader(inner[2] ?? "");
  const reads = READERS[type];
  if (reads === undefined) throw new DatafileError(`the stand-in does not know the type ${type}`);
  return (value) => {
    if (value === undefined || value === null) return { problem: "is missing" };
    return reads(value) ? { value } : { problem: `${quoted(value)} is not ${type}` };
  };
}

function orNull(read: ColumnReader): ColumnReader {
  return (value) => (value === undefined || value === null ? { value: null } : read(value));
}

type Check = (value: unknown) => value is string | number;

const SECONDS = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;
const MILLISECONDS = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,3})?$/;
/** The range of ClickHouse's DateTime: 32 bits of seconds. */
const DATE_TIME_MAX_MS = 0xffff_ffff * 1000;

const READERS: Readonly<Record<string, Check>> = {
  String: (value) => typeof value === "string",
  Int32: integer(-(2 ** 31), 2 ** 31 - 1),
  // JSON numbers are whole up to here.
  Int64: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  Float64: (value) => typeof value === "number",
  DateTime: (value) => isInstant(value, SECONDS),
  "DateTime64(3)": (value) => isInstant(value, MILLISECONDS),
};

function integer(min: number, max: number): Check {
  return (value): value is number => Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
}

function isInstant(value: unknown, form: RegExp): value is string {
  if (typeof value !== "string" || !form.test(value)) return false;
  const at = new Date(`${value.replace(" ", "T")}Z`);
  // The thirtieth of February is a day in March to JavaScript.
  const day = value.slice(0, "YYYY-MM-DD".length);
  return at.getTime() >= 0 && at.getTime() <= DATE_TIME_MAX_MS && at.toISOString().startsWith(day);
}

const QUOTED_MAX = 60;

function quoted(value: unknown): string {
  return JSON.stringify(value).slice(0, QUOTED_MAX);
}
