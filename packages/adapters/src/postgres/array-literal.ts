import { UnstorableError } from "./failure.ts";

/** What JSON writes in another way than Postgres reads it in an array. */
// oxlint-disable-next-line eslint/no-control-regex -- it is about them
const HARD = /[\u0000-\u001f\ud800-\udfff]/;

/**
 * A list as Postgres reads it for a parameter of an array type. JSON's text in other brackets is one, but for a few characters: that
 * costs a third of escaping each element.
 */
export function arrayLiteral(values: readonly (string | number | null)[]): string {
  if (!values.some((value) => typeof value === "string" && HARD.test(value)))
    return `{${JSON.stringify(values).slice(1, -1)}}`;
  return `{${values.map(element).join(",")}}`;
}

function element(value: string | number | null): string {
  if (typeof value !== "string") return String(value ?? "NULL");
  // The driver would replace a lone surrogate without a word (F35).
  if (!value.isWellFormed() || value.includes("\0"))
    throw new UnstorableError("it holds a lone surrogate or a NUL, which Postgres can't store");
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}
