import { InvalidArgumentError } from "../errors.ts";

/** Throws unless it is what `workflow()` made: modules that import each other in a circle give `undefined` instead. */
export function checkDefinition(what: string, given: unknown): void {
  if (typeof given !== "object" || given === null || !("handler" in given))
    throw new InvalidArgumentError(
      `${what} must be a workflow, as workflow() gives it, not ${given === undefined ? "undefined" : typeof given}; modules that import each other in a circle may see undefined`,
    );
}
