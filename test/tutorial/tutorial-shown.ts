// What a page shows of a terminal, compared with what the terminal shows.

/** What differs from reader to reader. The first group of each is learnt: later commands name it. */
const VARYING: readonly (readonly [onPage: RegExp, inTerminal: string])[] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/, String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`],
  [/process \d+/, String.raw`process (\d+)`],
  [/worker \d+ \([\w-]+,/, String.raw`worker \d+ \([^,]+,`],
  [/attempt \d+/, String.raw`attempt \d+`],
  [/\d+ tries/, String.raw`\d+ tries`],
  [/\b\d+(?:\.\d+)? ?(?:ms|s|min)\b/, String.raw`\d+(?:\.\d+)? ?(?:ms|s|min)`],
  // A cell that was cut off, somewhere near.
  [/(?:\S+ ){3}\S*…/, String.raw`.*…`],
  // Columns are as wide as their cells.
  [/ +/, " +"],
];

const ANY_VARYING = new RegExp(VARYING.map(([onPage]) => `(?:${onPage.source})`).join("|"), "g");

/** What pnpm says of itself, such as that the registry does not have its version. */
const OF_PNPM = /^\[WARN\] [^\n]*\n/gm;

/** A line of its own that stands for any lines. */
const LEFT_OUT = "…";

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

function patternOf(line: string): string {
  let pattern = "";
  let from = 0;
  for (const { index, 0: found } of line.matchAll(ANY_VARYING)) {
    const [, inTerminal = ""] =
      VARYING.find(([onPage]) => new RegExp(`^(?:${onPage.source})$`).test(found)) ?? [];
    pattern += escaped(line.slice(from, index)) + inTerminal;
    from = index + found.length;
  }
  return pattern + escaped(line.slice(from));
}

export interface Seen {
  /** What the reader's machine has in place of what the page says, such as the id of a process. */
  readonly learnt: ReadonlyMap<string, string>;
  /** What the terminal shows after that. */
  readonly rest: string;
}

/** Undefined when the terminal does not show it, from where it shows something on. */
export function seen(shown: string, terminal: string): Seen | undefined {
  const lines = shown.trim().split("\n");
  const pattern = lines
    .map((line, index) => {
      if (line !== LEFT_OUT) return `${patternOf(line.trimEnd())}[ \\t]*(?:\\n|$)`;
      return index === lines.length - 1 ? "[^]*" : "(?:[^\\n]*\\n)*?";
    })
    .join("");
  const found = new RegExp(`^\\s*${pattern}`).exec(terminal.replaceAll(OF_PNPM, ""));
  if (found === null) return undefined;
  const names = [...shown.matchAll(/process (\d+)/g)].map(([, id = ""]) => id);
  const learnt = new Map(names.map((name, index) => [name, found[index + 1] ?? name]));
  return { learnt, rest: found.input.slice(found[0].length) };
}
