import { hash, randomUUID } from "node:crypto";
import { escapePart } from "../engine/names.ts";
import { textToValue, valueToText } from "../engine/values.ts";

/** Longer ids are cut, and told apart by a digest. */
const ID_MAX = 300;
const EVENT_ID_MAX = 200;

/** A version 7 UUID: ordered by time, so that new runs are neighbours in the database's indexes. */
export function newRunId(now: number): string {
  const time = Math.floor(now).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${randomUUID().slice(15)}`;
}

/** The id of a run that another one starts: the same in every attempt. */
export function childId(runId: string, identity: string, suffix: string): string {
  return bounded(`${runId}/${escapePart(identity)}${suffix}`, ID_MAX);
}

/** The id of an event or a signal that a run sends: the same in every attempt. */
export function messageId(runId: string, identity: string, suffix: string): string {
  return bounded(`${runId}/${escapePart(identity)}${suffix}`, EVENT_ID_MAX);
}

function bounded(id: string, max: number): string {
  return id.length <= max ? id : `${id.slice(0, max - 44).toWellFormed()}-${hash("sha256", id, "base64url")}`;
}

/** Equal for equal inputs, whatever the order of their keys. */
export function inputHash(text: string): string {
  return hash("sha256", valueToText(inOrder(textToValue(text), new Map()), "an input"), "base64url").slice(
    0,
    22,
  );
}

/** The same value with the keys of its plain objects in order; what holds itself still does. */
function inOrder(value: unknown, done: Map<object, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = done.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    done.set(value, items);
    for (const item of value as readonly unknown[]) items.push(inOrder(item, done));
    return items;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const object = {};
  done.set(value, object);
  for (const key of Object.keys(value).toSorted()) {
    const inner = inOrder((value as Readonly<Record<string, unknown>>)[key], done);
    // Not assigned: a key may be __proto__.
    Object.defineProperty(object, key, { value: inner, enumerable: true });
  }
  return object;
}
