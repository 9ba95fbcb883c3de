import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ValidationError } from "../errors.ts";

/** The schema's output. Throws `ValidationError` naming every path that is wrong. Without a schema, the value as it is. */
export function validate<T>(
  schema: StandardSchemaV1<unknown, T> | undefined,
  value: unknown,
  what: string,
): T | Promise<T> {
  if (schema === undefined) return value as T;
  const result = schema["~standard"].validate(value);
  return result instanceof Promise
    ? result.then((settled) => outputOf(settled, what))
    : outputOf(result, what);
}

function outputOf<T>(result: StandardSchemaV1.Result<T>, what: string): T {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => ({ message: issue.message, path: pathOf(issue) }));
  throw new ValidationError(what, issues);
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  return (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
}
