/** Tables: fitted to a terminal, or one line of cells between tabs for whatever reads a pipe. */
import Table from "cli-table3";
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

const BORDERS =
  "top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid".split(
    " ",
  );
const NO_BORDERS = { ...Object.fromEntries(BORDERS.map((border) => [border, ""])), middle: GAP };

export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], screen: Screen): string {
  const cells = rows.map((row) => columns.map((column) => cellText(column, row)));
  if (!screen.isTerminal)
    return [columns.map(({ title }) => title), ...cells].map((line) => `${line.join("\t")}\n`).join("");
  const widths = fit(columns, cells, screen.width);
  const drawn = new Table({
    chars: NO_BORDERS,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: columns.map(({ align }) => align ?? "left"),
    colWidths: widths,
  });
  drawn.push(columns.map(({ title }) => screen.paint("bold", title)));
  for (const [index, row] of rows.entries())
    drawn.push(
      columns.map(({ colour }, at) => {
        const text = cells[index]?.[at] ?? "";
        return screen.paint(colour?.(row), cut(text, widths[at] ?? 0));
      }),
    );
  return `${drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
}

function cellText<Row>(column: Column<Row>, row: Row): string {
  const text = oneLine(column.of(row));
  return text === "" ? NOTHING : text;
}

/** As wide as their widest cell; what is too much in all is taken from the flexible ones, the widest first. */
function fit<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  width: number,
): number[] {
  const widths = columns.map(({ title }, at) =>
    Math.max(stringWidth(title), ...cells.map((line) => stringWidth(line[at] ?? ""))),
  );
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (columns.length - 1) - width;
  while (excess > 0) {
    const widest = widths
      .map((one, at) => ({ one, at }))
      .filter(({ at, one }) => columns[at]?.flexible === true && one > FLEXIBLE_MIN)
      .toSorted((a, b) => b.one - a.one)[0];
    if (widest === undefined) break;
    widths[widest.at] = widest.one - 1;
    excess -= 1;
  }
  return widths;
}

/** By characters as they are seen; where something was cut off there is an ellipsis. */
function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(kept + segment) > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}
