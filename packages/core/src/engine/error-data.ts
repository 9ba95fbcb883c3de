/** Errors as plain data and back, so that a first run and every replay see the same: name, message, code, stack, cause. */
import { stringify } from "devalue";
import * as errors from "../errors.ts";
import { EverstepError } from "../errors.ts";

const STACK_MAX = 4000;
const MESSAGE_MAX = 20_000;
const TEXT_MAX = 1000;
const CAUSES_MAX = 5;

/** The stored form of an error. `props` are its own plain properties, such as a vendor's `decline_code`. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly props?: Readonly<Record<string, unknown>>;
  readonly cause?: ErrorData;
}

/** Never throws, whatever was thrown: null, a frozen error, a getter that throws, a cause that is its own cause. */
export function dataOf(thrown: unknown, depth = 0): ErrorData {
  try {
    if (thrown instanceof Error) return ofError(thrown, depth);
    return { name: "Error", message: `thrown, though not an Error: ${String(thrown).slice(0, TEXT_MAX)}` };
  } catch {
    return { name: "Error", message: "an error that can't be read was thrown" };
  }
}

/** What was thrown, or an `Error` in its place when merely looking at it would throw: whoever handles it may look at will. */
export function readable(thrown: unknown): unknown {
  try {
    const text: unknown = thrown instanceof Error ? thrown.message : String(thrown);
    if (typeof text === "string") return thrown;
  } catch {
    // A revoked proxy, an object without a prototype, a getter that throws.
  }
  return new Error(dataOf(thrown).message);
}

/**
 * What an error says in one line, with its causes: of a request to nobody, Node's own message is "fetch failed", and only the cause
 * says ECONNREFUSED. A cause that the message repeats is left out.
 */
export function sentenceOf(thrown: unknown): string {
  const data = dataOf(thrown);
  let text = ownText(data);
  for (let { cause } = data; cause !== undefined; { cause } = cause)
    if (!text.includes(ownText(cause))) text += `, caused by ${ownText(cause)}`;
  return text;
}

function ownText({ name, message, props }: ErrorData): string {
  const code = props?.["code"];
  return message !== "" ? message : typeof code === "string" ? code : name;
}

function ofError(error: Error, depth: number): ErrorData {
  const props = propsOf(error);
  return {
    name: String(error.name).slice(0, TEXT_MAX),
    message: String(error.message).slice(0, MESSAGE_MAX),
    // everstep's own wrappers say where in the engine they were made: of no use to anybody.
    ...(typeof error.stack === "string" && !isWrapper(error)
      ? { stack: error.stack.slice(0, STACK_MAX) }
      : {}),
    ...(props === undefined ? {} : { props }),
    ...(error.cause === undefined || depth >= CAUSES_MAX ? {} : { cause: dataOf(error.cause, depth + 1) }),
  };
}

function isWrapper(error: Error): boolean {
  return (
    error instanceof EverstepError &&
    !(error instanceof errors.FatalError || error instanceof errors.RetryAfterError)
  );
}

function propsOf(error: Error): Record<string, unknown> | undefined {
  let props: Record<string, unknown> | undefined;
  for (const key of Object.keys(error)) {
    if (key === "name" || key === "message" || key === "stack" || key === "cause" || key === "__proto__")
      continue;
    const value = propOf(error, key);
    if (value !== undefined) (props ??= {})[key] = value;
  }
  return props;
}

/** Vendors hang requests, sockets and headers on their errors: only plain facts are kept, and what everstep's own classes declare. */
function propOf(error: Error, key: string): unknown {
  try {
    const value = (error as unknown as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "boolean" || value === null) return value;
    if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
    if (typeof value === "string") return value.slice(0, TEXT_MAX);
    const declared = key === "details" || key === "issues";
    return declared && typeof value !== "function" && stringify(value).length <= MESSAGE_MAX
      ? value
      : undefined;
  } catch {
    return undefined; // one property that can't be stored must not cost the others
  }
}

const OWN_CLASSES = new Map<string, object>(
  Object.values(errors)
    .filter((value) => typeof value === "function")
    .map((error) => [error.name, error.prototype as object]),
);

/** The error again: everstep's own classes are revived by name, all others are an `Error` with that name. */
export function errorOf(data: unknown): Error {
  const stored = (typeof data === "object" && data !== null ? data : {}) as Partial<ErrorData>;
  const name = typeof stored.name === "string" ? stored.name : "Error";
  const message = typeof stored.message === "string" ? stored.message : "an error that could not be read";
  const error = new Error(message, stored.cause === undefined ? undefined : { cause: errorOf(stored.cause) });
  const prototype = OWN_CLASSES.get(name);
  if (prototype !== undefined) Object.setPrototypeOf(error, prototype);
  const hidden = (value: string): PropertyDescriptor => ({
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  });
  Object.defineProperty(error, "name", hidden(name));
  Object.defineProperty(error, "stack", hidden(stored.stack ?? `${name}: ${message}`));
  for (const [key, value] of Object.entries(stored.props ?? {})) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: true });
  }
  return error;
}
