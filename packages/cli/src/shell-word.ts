/** Command lines that people paste: a POSIX shell, bash, zsh and fish read each word as it was meant. */
import { safeText } from "./safe-text.ts";

const PLAIN = /^[\w./:@%+,-][\w./:@%+,~-]*$/;

function shellWord(text: string): string {
  if (PLAIN.test(text)) return text;
  // What is shown as an escape is one in bash and zsh: an id may have a mark in it that turns the direction of text.
  if (safeText(text) !== text) return `$'${Array.from(text, escaped).join("")}'`;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function escaped(char: string): string {
  if (char === "'" || char === "\\") return `\\${char}`;
  if (safeText(char) === char) return char;
  const code = char.codePointAt(0) ?? 0;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** `words`: those that are no options; one that begins with - is given after --. */
export function commandLine(name: string, words: readonly string[], options: readonly string[] = []): string {
  const needsDashes = words.some((word) => word.startsWith("-"));
  const line = needsDashes ? [...options, "--", ...words] : [...words, ...options];
  return ["everstep", name, ...line.map(shellWord)].join(" ");
}
