import { hash, randomUUID } from "node:crypto";

/** A version 7 UUID: ordered by time, so that new runs are neighbours in the database's indexes. */
export function newRunId(now: number): string {
  const time = Math.floor(now).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${randomUUID().slice(15)}`;
}

/** Equal for equal inputs, whatever the order of their keys. */
export function inputHash(text: string): string {
  return hash("sha256", JSON.stringify(JSON.parse(text), sortedKeys), "base64url").slice(0, 22);
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
