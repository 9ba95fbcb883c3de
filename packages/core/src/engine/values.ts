/**
 * Values as text. Plain JSON stays plain JSON, readable in the database; everything else that can be stored
 * (undefined, Date, BigInt, Map, Set, typed arrays, NaN, -0, Error, cycles …) goes through devalue, marked as `{"$devalue":…}`.
 *
 * Owns: what can be stored, and the hook that encrypts it. Does not own: limits of size (the runtime's).
 */
import { parse, stringify } from "devalue";
import { DecodingError, SerializationError } from "../errors.ts";
import { dataOf, errorOf } from "./error-data.ts";

/** What a piece of text belongs to; an encrypting codec binds the text to it. */
export interface CodecContext {
  readonly runId: string;
  /** The step's key, the signal's name, or `""` for input, result and error of the run. */
  readonly key: string;
}

/** Wraps everything that is stored of inputs, results, errors, stacks and signals: for encryption. Synchronous. */
export interface Codec {
  encode(text: string, context: CodecContext): string;
  /** Throw when the text can't be decoded: the run is then stuck, nothing runs again. */
  decode(text: string, context: CodecContext): string;
}

const ODD = '{"$devalue":';
/** Deeper values would overflow the stack of a recursive reader somewhere. */
const DEPTH_MAX = 1000;
const NODES_MAX = 1_000_000;

/** Text of a value; throws `SerializationError` naming the path of what can't be stored. */
export function valueToText(value: unknown, what: string): string {
  try {
    if (isPlain(value, 0, { nodes: 0 })) return JSON.stringify(value);
  } catch (error) {
    throw unstorable(what, "$", error);
  }
  return oddToText(value, what);
}

export function textToValue(text: string): unknown {
  if (!text.startsWith(ODD)) return JSON.parse(text);
  return parse(text.slice(ODD.length, -1), { Error: errorOf });
}

/** How much was looked at: what is shared again and again would take JSON exponential time and space, devalue does not mind. */
interface Seen {
  nodes: number;
}

/** True when JSON text gives back just this value. */
function isPlain(value: unknown, depth: number, seen: Seen): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      return value === null || isPlainTree(value, depth, seen);
    default:
      return false;
  }
}

function isPlainTree(tree: object, depth: number, seen: Seen): boolean {
  seen.nodes += 1;
  if (depth >= DEPTH_MAX || seen.nodes > NODES_MAX || "toJSON" in tree) return false;
  return Array.isArray(tree) ? isPlainArray(tree, depth, seen) : isPlainObject(tree, depth, seen);
}

function isPlainArray(array: readonly unknown[], depth: number, seen: Seen): boolean {
  for (let i = 0; i < array.length; i++) {
    if (!isPlain(array[i], depth + 1, seen)) return false; // a hole reads as undefined: not plain
  }
  return Object.keys(array).length === array.length;
}

function isPlainObject(object: object, depth: number, seen: Seen): boolean {
  if (Object.getPrototypeOf(object) !== Object.prototype || Object.getOwnPropertySymbols(object).length > 0)
    return false;
  for (const key of Object.keys(object)) {
    if (depth === 0 && key === "$devalue") return false;
    if (!isPlain((object as Readonly<Record<string, unknown>>)[key], depth + 1, seen)) return false;
  }
  return true;
}

function oddToText(value: unknown, what: string): string {
  try {
    const text = `${ODD}${stringify(value, { Error: (thing: unknown) => (thing instanceof Error ? dataOf(thing) : undefined) })}}`;
    // What was written must be readable: found out now, not at the next replay.
    textToValue(text);
    return text;
  } catch (error) {
    const path =
      error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : "";
    throw unstorable(what, `$${path}`, error);
  }
}

function unstorable(what: string, path: string, error: unknown): SerializationError {
  if (error instanceof RangeError) return new SerializationError(what, path, "it is nested too deeply");
  return new SerializationError(what, path, error instanceof Error ? error.message : String(error));
}

/** Values and errors of one run to text and back, through the codec hook. */
export interface Values {
  /** Those of another run. */
  of(runId: string): Values;
  toText(value: unknown, key: string, what: string): string;
  /** Throws `DecodingError`. */
  fromText(text: string, key: string, what: string): unknown;
  errorToText(error: unknown, key: string): string;
  errorFromText(text: string, key: string, what: string): Error;
}

export function valuesOf(runId: string, codec: Codec | undefined): Values {
  const seal = (text: string, key: string): string => codec?.encode(text, { runId, key }) ?? text;
  const open = (text: string, key: string, what: string): unknown => {
    try {
      return textToValue(codec?.decode(text, { runId, key }) ?? text);
    } catch (error) {
      throw new DecodingError(`run ${runId}: ${what}`, error);
    }
  };
  return {
    of: (other) => valuesOf(other, codec),
    toText: (value, key, what) => seal(valueToText(value, `run ${runId}: ${what}`), key),
    fromText: open,
    errorToText: (error, key) => seal(valueToText(dataOf(error), "an error"), key),
    errorFromText: (text, key, what) => errorOf(open(text, key, what)),
  };
}
