import type { Datasource } from "./datasource.ts";
import { HttpError } from "./http-error.ts";

/** A row as the table takes it. */
export type Row = Readonly<Record<string, string | number | null>>;

/** A row that does not fit, as it came, and why. */
export interface QuarantinedRow {
  readonly values: Readonly<Record<string, string | null>>;
  readonly columns: readonly string[];
  readonly problems: readonly string[];
}

export interface SortedRows {
  readonly fitting: readonly Row[];
  readonly quarantined: readonly QuarantinedRow[];
}

/** The rows of a request, one JSON object a line. A body that isn't that is refused whole, and nothing of it is written. */
export function rowsIn(body: string): readonly object[] {
  const lines = body.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new HttpError(400, "The request has no rows");
  return lines.map((line, index) => {
    const row = parsed(line);
    if (typeof row !== "object" || row === null || Array.isArray(row))
      throw new HttpError(400, `Row ${index + 1} is not a JSON object`);
    return row;
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Takes from each row what the datasource's columns ask for; what else is in it is left out, as at Tinybird. */
export function sorted(datasource: Datasource, rows: readonly object[]): SortedRows {
  const fitting: Row[] = [];
  const quarantined: QuarantinedRow[] = [];
  for (const row of rows) {
    const read = datasource.columns.map((column) => {
      const raw = valueAt(row, column.path);
      return { name: column.name, raw, ...column.read(raw) };
    });
    const wrong = read.flatMap((cell) => ("problem" in cell ? [cell] : []));
    if (wrong.length === 0) {
      fitting.push(Object.fromEntries(read.map((cell) => [cell.name, "value" in cell ? cell.value : null])));
      continue;
    }
    quarantined.push({
      values: Object.fromEntries(read.map(({ name, raw }) => [name, textOf(raw)])),
      columns: wrong.map(({ name }) => name),
      problems: wrong.map(({ name, problem }) => `value on column '${name}' ${problem}`),
    });
  }
  return { fitting, quarantined };
}

function valueAt(row: object, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Readonly<Record<string, unknown>>)[key]
        : undefined,
    row,
  );
}

function textOf(raw: unknown): string | null {
  if (raw === undefined || raw === null) return null;
  return typeof raw === "string" ? raw : JSON.stringify(raw);
}
