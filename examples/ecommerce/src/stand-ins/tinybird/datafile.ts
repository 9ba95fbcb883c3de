/**
 * The text of Tinybird's datafiles: a directive at the beginning of a line, with its value behind it, or below it and indented when
 * it ends in `>`. What the stand-in does not know is refused when the file is read: it must not mean something else at Tinybird.
 */

export interface Section {
  readonly directive: string;
  readonly value: string;
}

export interface Token {
  readonly name: string;
  readonly scope: "APPEND" | "READ";
}

export class DatafileError extends Error {
  override readonly name = "DatafileError";
}

export function sectionsOf(text: string): readonly Section[] {
  const sections: { directive: string; lines: string[] }[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    if (/^\s/.test(line)) {
      const open = sections.at(-1);
      if (open === undefined) throw new DatafileError(`"${line.trim()}" belongs to no directive`);
      open.lines.push(line);
      continue;
    }
    const [, directive = "", rest = ""] = /^([A-Z_]+)\s*(.*)$/.exec(line) ?? [];
    if (directive === "") throw new DatafileError(`"${line}" is no directive`);
    sections.push({ directive, lines: rest === ">" || rest === "" ? [] : [rest] });
  }
  return sections.map(({ directive, lines }) => ({ directive, value: dedented(lines).join("\n") }));
}

function dedented(lines: readonly string[]): readonly string[] {
  const indent = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(indent));
}

/** `TOKEN "name" SCOPE`, quoted or not. */
export function tokenIn(value: string): Token {
  const [, name = "", scope] = /^"?(\w+)"?\s+(APPEND|READ)$/.exec(value) ?? [];
  if (scope !== "APPEND" && scope !== "READ") throw new DatafileError(`TOKEN ${value} is not understood`);
  return { name, scope };
}

export function unquoted(value: string): string {
  return /^"(.*)"$/s.exec(value)?.[1] ?? value;
}
