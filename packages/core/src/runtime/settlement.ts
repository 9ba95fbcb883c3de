import type { Ask } from "../engine/asks.ts";
import type { Values } from "../engine/values.ts";
import type { NewEntry } from "../store.ts";
import { type AskHandle, codecKeyOf } from "./handle.ts";

/** Settles the promise of an ask with the decoded copy of what is in the journal. Throws `DecodingError`. */
export function settleWith(ask: Ask<AskHandle>, entry: NewEntry, values: Values): void {
  const { resolve, reject, refusal } = ask.handle;
  const { value: text, error } = entry;
  const key = codecKeyOf(ask);
  const value =
    text === undefined ? undefined : values.fromText(text, key, `result of ${ask.kind} ${ask.key}`);
  if (error === undefined) resolve(resultOf(ask, value));
  // What was sent out, and refused by the store: in plain text beside the id.
  else if (text !== undefined && refusal !== undefined) reject(refusal(error, String(value)));
  else reject(values.errorFromText(error, key, `error of ${ask.kind} ${ask.key}`));
}

function resultOf({ kind }: Ask<AskHandle>, value: unknown): unknown {
  if (kind === "start") return { id: String(value) };
  return kind === "emit" || kind === "send" ? undefined : value;
}
