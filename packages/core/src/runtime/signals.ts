import { ValidationError } from "../errors.ts";
import type { Ask } from "../engine/asks.ts";
import type { Activation } from "./activation.ts";
import type { AskHandle } from "./handle.ts";
import { validate } from "./validate.ts";

/** A signal is validated once, when its wait takes it: the schema's output is journaled, or that it is not valid. */
export function acceptSignal(
  run: Activation,
  { handle, name }: Ask<AskHandle>,
  payload: string,
): { readonly value: string } | { readonly error: string } {
  const { schema } = handle;
  if (schema === undefined) return { value: payload };
  const what = `run ${run.runId}: signal ${name}`;
  const sent = run.values.fromText(payload, name, `signal ${name}`);
  try {
    const output = validate(schema, sent, what);
    if (!(output instanceof Promise)) return { value: run.values.toText(output, name, `signal ${name}`) };
    output.catch(() => {});
    throw new ValidationError(what, [
      { message: "its schema validates asynchronously, which a wait can't", path: "" },
    ]);
  } catch (error) {
    return { error: run.values.errorToText(error, name) };
  }
}
