/** Checks data from outside against a shape, strictly: what is not named is refused as well. */
import { InvalidArgumentError } from "../../errors.ts";

/** Answers the value, or throws naming the path of what is wrong. */
export type Check<T> = (value: unknown, path: string) => T;

export const text: Check<string> = (value, path) =>
  typeof value === "string" && value.isWellFormed() ? value : wrong(path, "a text", value);
export const flag: Check<boolean> = (value, path) =>
  typeof value === "boolean" ? value : wrong(path, "true or false", value);
export const whole: Check<number> = (value, path) =>
  Number.isSafeInteger(value) ? (value as number) : wrong(path, "a whole number", value);
export const count: Check<number> = (value, path) => {
  const number = whole(value, path);
  return number >= 0 ? number : wrong(path, "0 or more", value);
};

export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null ? null : check(value, path));
}

export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

export function oneOf<T extends string | number>(...choices: readonly T[]): Check<T> {
  return (value, path) =>
    choices.find((choice) => choice === value) ?? wrong(path, `one of ${choices.join(", ")}`, value);
}

export function listOf<T>(check: Check<T>): Check<readonly T[]> {
  return (value, path) =>
    Array.isArray(value)
      ? Array.from(value, (item: unknown, index) => check(item, `${path}[${index}]`))
      : wrong(path, "a list", value);
}

export function recordOf<T>(check: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value, path) =>
    Object.fromEntries(
      Object.entries(objectAt(value, path)).map(([key, item]) => [key, check(item, `${path}.${key}`)]),
    );
}

/** An object with just these properties. */
export function shape<T extends object>(checks: { readonly [K in keyof T]-?: Check<T[K]> }): Check<T> {
  return (value, path) => {
    const object = objectAt(value, path);
    const odd = Object.keys(object).find((key) => !Object.hasOwn(checks, key));
    if (odd !== undefined) throw new InvalidArgumentError(`${path} has a property ${odd} that is not known`);
    const checked = Object.entries<Check<unknown>>(checks).flatMap(([key, check]) => {
      const inner = check(object[key], `${path}.${key}`);
      return inner === undefined ? [] : [[key, inner] as const];
    });
    return Object.fromEntries(checked) as T;
  };
}

function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  return wrong(path, "an object", value);
}

function wrong(path: string, expected: string, value: unknown): never {
  throw new InvalidArgumentError(`${path} must be ${expected}; it is ${shown(value)}`);
}

/** Lists and objects may be nested deeper than anything can be written. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return String(JSON.stringify(value)).slice(0, 60);
}
