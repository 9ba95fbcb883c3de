/** Tables: fitted to a terminal, rows as blocks where it is too narrow for that; or one line of cells between tabs for whatever reads a pipe. */
import stringWidth from "string-width";
import { oneLine } from "../safe-text.ts";
import type { Colour, Screen } from "./screen.ts";

export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string;
  readonly colour?: (row: Row) => Colour | undefined;
  readonly align?: "right";
  /** What gives way where the terminal is too narrow. */
  readonly flexible?: true;
}

const GAP = "  ";
const FLEXIBLE_MIN = 12;
const NOTHING = "-";

/** Laid out here: cli-table3 took 11 s for a journal of 10,000 entries, and 19 ms to be loaded. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], screen: Screen): string {
  const cells = rows.map((row) => columns.map((column) => cellText(column, row)));
  const titles = columns.map(({ title }) => title);
  if (!screen.isTerminal) return [titles, ...cells].map((line) => `${line.join("\t")}\n`).join("");
  const widths = fit(columns, cells, screen.width);
  if (widths === undefined) return blocks(columns, rows, { cells, screen });
  const lineOf = (texts: readonly string[], colourOf: (at: number) => Colour | undefined): string => {
    const fitted = texts.map((text, at) => cut(text, widths[at] ?? 0));
    return `${fitted
      .map((text, at) => {
        const painted = screen.paint(colourOf(at), text);
        const space = " ".repeat((widths[at] ?? 0) - widthOf(text));
        if (columns[at]?.align === "right") return space + painted;
        return at === columns.length - 1 ? painted : painted + space;
      })
      .join(GAP)
      .trimEnd()}\n`;
  };
  const body = rows.map((row, index) => lineOf(cells[index] ?? [], (at) => columns[at]?.colour?.(row)));
  return lineOf(titles, () => "bold") + body.join("");
}

/** Every cell that has something in a line of its own, nothing cut off. */
function blocks<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { cells, screen }: { readonly cells: readonly (readonly string[])[]; readonly screen: Screen },
): string {
  const width = Math.max(...columns.map(({ title }) => title.length));
  const blockOf = (row: Row, index: number): string =>
    columns
      .map(({ title, colour }, at) => {
        const text = cells[index]?.[at] ?? NOTHING;
        if (text === NOTHING) return "";
        return `${screen.paint("gray", title.padEnd(width))}${GAP}${screen.paint(colour?.(row), text)}\n`;
      })
      .join("");
  return rows.map(blockOf).join("\n");
}

function cellText<Row>(column: Column<Row>, row: Row): string {
  const text = oneLine(column.of(row));
  return text === "" ? NOTHING : text;
}

/** As wide as their widest cell; what is too much in all is taken from the flexible ones, the widest first. Undefined: they don't fit. */
function fit<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  width: number,
): readonly number[] | undefined {
  const widths = columns.map(({ title }, at) =>
    Math.min(width, Math.max(title.length, widthOfColumn(cells, at))),
  );
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (columns.length - 1) - width;
  while (excess > 0) {
    const widest = widths
      .map((one, at) => ({ one, at }))
      .filter(({ at, one }) => columns[at]?.flexible === true && one > FLEXIBLE_MIN)
      .toSorted((a, b) => b.one - a.one)[0];
    if (widest === undefined) return undefined;
    widths[widest.at] = widest.one - 1;
    excess -= 1;
  }
  return widths;
}

function widthOfColumn(cells: readonly (readonly string[])[], at: number): number {
  return cells.reduce((widest, line) => Math.max(widest, widthOf(line[at] ?? "")), 0);
}

const PLAIN = /^[ -~]*$/;

/** In columns of a terminal: characters may be wide, or be drawn over each other. */
function widthOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

/** By characters as they are seen; where something was cut off there is an ellipsis. */
function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (PLAIN.test(text)) return `${text.slice(0, width - 1)}…`;
  let kept = "";
  let left = width - 1;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    left -= stringWidth(segment);
    if (left < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}
