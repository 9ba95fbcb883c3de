/**
 * Text that came from data, made harmless for a terminal (S3): control characters, escape sequences and characters that turn the direction
 * of text are shown as escapes. All that a command shows passes through here as a whole document, so that no renderer can forget it.
 */

// oxlint-disable-next-line no-control-regex -- what is to be found are control characters
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f]/;
/**
 * Marks, embeddings, overrides and isolates of direction, and the invisible, by which two ids look like one; separators of lines; the never shown.
 * Not what joins characters and chooses between shapes of one: languages and emoji need it.
 */
const TRICKS =
  /(?!\u200c|\u200d|\p{Variation_Selector})\p{Default_Ignorable_Code_Point}|[\u2028\u2029\ufff9-\ufffb]/u;
const HALVES = /\p{Surrogate}/u;
const DANGEROUS = new RegExp(`${CONTROLS.source}|${TRICKS.source}|${HALVES.source}`, "gu");

/** Keeps line ends and tabs. */
export function safeText(text: string): string {
  return text.replace(DANGEROUS, escapeOf);
}

/** For a cell of a table, or the middle of a sentence. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").replaceAll("\t", " ");
}

/** Every text in it, names of members included. Answers a copy of plain data. */
export function safeData<T>(data: T): T {
  return safeValue(data) as T;
}

function safeValue(value: unknown): unknown {
  if (typeof value === "string") return safeText(value);
  if (Array.isArray(value)) return value.map(safeValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [safeText(name), safeValue(member)]),
  );
}

/** JSON that can be shown in a terminal as it is: the same data, all the dangerous characters of its texts escaped. */
export function safeJson(data: unknown, indent?: number): string {
  return JSON.stringify(data, null, indent).replace(DANGEROUS, jsonEscapeOf);
}

function escapeOf(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return `\\u{${code.toString(16)}}`;
}

function jsonEscapeOf(char: string): string {
  // JSON's own line ends: those inside of texts are escaped already.
  return Array.from(
    { length: char.length },
    (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}
