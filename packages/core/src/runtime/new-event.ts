import { hash } from "node:crypto";
import { checkName, idempotencyPath } from "../engine/names.ts";
import { type Codec, valueToText } from "../engine/values.ts";
import type { NewEvent } from "../store.ts";
import { inputHash } from "./ids.ts";
import { checkSize } from "./limits.ts";

/** With the name of a workflow behind it, it still fits into a run's id. */
const PREFIX_MAX = 250;

/** An event as the store takes it. Throws for a name, an id or a payload that can't be used. */
export function newEvent(given: {
  readonly name: string;
  readonly id: string;
  readonly payload: unknown;
  readonly codec: Codec | undefined;
  readonly maxPayloadBytes: number;
}): NewEvent {
  const { name, id, payload, codec, maxPayloadBytes } = given;
  checkName("event", name);
  checkName("event id", id);
  const runPrefix = prefixOf(name, id);
  const what = `event ${name} with the id ${id}: its payload`;
  const plain = valueToText(payload, what);
  const text = codec === undefined ? plain : codec.encode(plain, { runId: runPrefix, key: "" });
  return {
    name,
    id,
    payload: checkSize(text, maxPayloadBytes, what),
    codecId: runPrefix,
    payloadHash: inputHash(plain),
    runPrefix,
  };
}

function prefixOf(name: string, id: string): string {
  const path = idempotencyPath(name, id, "/");
  if (path.length <= PREFIX_MAX) return path;
  return `${name.slice(0, 60).toWellFormed()}/${hash("sha256", path, "base64url")}/`;
}
