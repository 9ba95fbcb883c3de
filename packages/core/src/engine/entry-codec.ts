/** What of an entry is encoded, and what its text is bound to. */
import type { EntryKind, NewEntry } from "../store.ts";
import type { Values } from "./values.ts";

const ASKS: ReadonlySet<EntryKind> = new Set(["step", "child", "call", "start", "emit", "send"]);
const SENDS: ReadonlySet<EntryKind> = new Set(["call", "start", "emit", "send"]);
/**
 * What a person did to the journal is plain JSON, for nobody can go on with a run without reading it. Only who and why is sealed, as `note`:
 * reasons quote anything.
 */
const NOTED: ReadonlySet<EntryKind> = new Set(["reset", "resolve", "move", "fork"]);

/** Who did something, and why. */
interface Note {
  readonly by: string;
  readonly because: string | null;
}

type Place = Pick<NewEntry, "kind" | "key">;

/** What an entry's text was bound to when it was encoded: a signal to its name, which is its key without the count. */
export function entryCodecKey({ kind, key }: Place): string {
  if (kind === "signal") return key.replace(/#\d+$/, "");
  return ASKS.has(kind) ? key : "";
}

/** The store refused what the entry was to send out: its error is the store's reason, in plain text. */
export function isRefusedSend({ kind, value, error }: Pick<NewEntry, "kind" | "value" | "error">): boolean {
  return SENDS.has(kind) && value !== undefined && error !== undefined;
}

export function notedValue(facts: object, { by, because }: Note, values: Values): string {
  return JSON.stringify({ ...facts, note: values.toText({ by, because }, "", "who did it, and why") });
}

export function decodedValue(entry: Place, text: string, values: Values): unknown {
  if (entry.kind === "unwinding") return JSON.parse(text);
  const what = `the value of entry ${entry.kind} ${entry.key}`;
  if (!NOTED.has(entry.kind)) return values.fromText(text, entryCodecKey(entry), what);
  const { note, ...facts } = JSON.parse(text) as { readonly note?: string };
  return note === undefined ? facts : { ...facts, ...(values.fromText(note, "", what) as Note) };
}

/** The inverse of `decodedValue`. */
export function encodedValue(entry: Place, value: unknown, values: Values): string {
  if (entry.kind === "unwinding") return JSON.stringify(value);
  if (!NOTED.has(entry.kind))
    return values.toText(value, entryCodecKey(entry), `the value of entry ${entry.kind} ${entry.key}`);
  const { by, because, ...facts } = value as Note;
  return notedValue(facts, { by, because }, values);
}

/** The value's text with all that is sealed in it sealed anew. */
export function recodedValue(
  entry: Place,
  text: string,
  recode: (sealed: string, key: string) => string,
): string {
  if (entry.kind === "unwinding") return text;
  if (!NOTED.has(entry.kind)) return recode(text, entryCodecKey(entry));
  const { note, ...facts } = JSON.parse(text) as { readonly note?: string };
  return note === undefined ? text : JSON.stringify({ ...facts, note: recode(note, "") });
}
