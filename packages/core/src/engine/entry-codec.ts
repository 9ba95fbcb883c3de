import type { EntryKind, NewEntry } from "../store.ts";

const ASKS: ReadonlySet<EntryKind> = new Set(["step", "child", "call", "start", "emit", "send"]);
const SENDS: ReadonlySet<EntryKind> = new Set(["call", "start", "emit", "send"]);

/** What an entry's text was bound to when it was encoded: a signal to its name, which is its key without the count. */
export function entryCodecKey({ kind, key }: Pick<NewEntry, "kind" | "key">): string {
  if (kind === "signal") return key.replace(/#\d+$/, "");
  return ASKS.has(kind) ? key : "";
}

/** An `unwinding` is the engine's own: only the error in it is sealed. */
export function isPlainValue({ kind }: Pick<NewEntry, "kind">): boolean {
  return kind === "unwinding";
}

/** The store refused what the entry was to send out: its error is the store's reason, in plain text. */
export function isRefusedSend({ kind, value, error }: Pick<NewEntry, "kind" | "value" | "error">): boolean {
  return SENDS.has(kind) && value !== undefined && error !== undefined;
}
