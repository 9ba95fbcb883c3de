import { ValidationError } from "../errors.ts";
import type { Activation } from "./activation.ts";
import { validate } from "./validate.ts";

/**
 * The input of a run, as its handler is to be called with it. One that was sent by somebody who did not have the workflow's code is
 * validated when the run begins, once: the schema's output is journaled. Throws when it can't be decoded; the answer throws when it is not valid.
 */
export function inputOf(run: Activation): () => unknown {
  const { machine, workflow, values, host } = run;
  const { input, event, raw } = machine.run;
  const sent = values.of(event ?? run.runId).fromText(input, "", "its input");
  const schema = workflow.options.input;
  if (!raw || schema === undefined) return () => sent;
  const journaled = machine.journal.find("input");
  if (journaled !== undefined) {
    const output =
      journaled.value === undefined ? undefined : values.fromText(journaled.value, "", "its input");
    return () => output;
  }
  return () => {
    const what = `run ${run.runId}: the input of workflow ${workflow.name}`;
    const output = validate(schema, sent, what);
    if (output instanceof Promise) {
      output.catch(() => {});
      throw new ValidationError(what, [
        {
          message:
            "its schema validates asynchronously, which a run that was started by an event or by name can't",
          path: "",
        },
      ]);
    }
    const value = output === undefined ? undefined : values.toText(output, "", "its input");
    machine.journal.append({ kind: "input", key: "", value }, host.now());
    return output;
  };
}
