import { ContextError, InvalidArgumentError } from "../errors.ts";

const BUGS = [
  TypeError,
  ReferenceError,
  SyntaxError,
  RangeError,
  EvalError,
  URIError,
  ContextError,
  InvalidArgumentError,
];

/** Thrown by the handler itself these are mistakes in the program. What a step threw comes back wrapped, and as plain errors. */
export function isBug(error: unknown): error is Error {
  return BUGS.some((bug) => error instanceof bug);
}
