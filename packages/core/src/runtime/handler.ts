import { readable } from "../engine/error-data.ts";
import type { Activation } from "./activation.ts";
import { checkSize } from "./limits.ts";
import { RunContext } from "./run-context.ts";
import { inputOf } from "./run-input.ts";
import { scope } from "./scope.ts";
import { validate } from "./validate.ts";

/** Calls the workflow's handler for this activation, and tells the engine how it ended. Throws when the input can't be decoded. */
export function runHandler(run: Activation): void {
  const context = new RunContext(run);
  const input = inputOf(run);
  const call = async (): Promise<unknown> => run.workflow.handler(context, input() as never);
  scope.run({ run }, call).then(
    (value) => returned(run, value),
    (error: unknown) => threw(run, readable(error)),
  );
}

function returned(run: Activation, value: unknown): void {
  const { name, options } = run.workflow;
  const refuse = (error: unknown): void => resultRefused(run, error);
  try {
    const checked = validate(options.output, value, `run ${run.runId}: the result of workflow ${name}`);
    if (checked instanceof Promise) checked.then((settled) => completed(run, settled), refuse);
    else completed(run, checked);
  } catch (error) {
    refuse(error);
  }
}

function completed(run: Activation, value: unknown): void {
  if (run.over) return;
  try {
    const text = value === undefined ? undefined : run.values.toText(value, "", "the result of its handler");
    if (text !== undefined)
      checkSize(text, run.host.maxPayloadBytes, `run ${run.runId}: the result of its handler`);
    run.machine.returned(text);
  } catch (error) {
    resultRefused(run, error);
  }
  run.wake();
}

/** All steps are done: undoing them because of a bug in the last line would help nobody. */
function resultRefused(run: Activation, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  run.machine.stick("BUG", `${reason}. Fix the handler, deploy, and resume the run.`, run.host.now());
  run.wake();
}

function threw(run: Activation, error: unknown): void {
  if (run.over) return;
  try {
    run.machine.failed(error, run.host.now());
  } catch (unstorable) {
    resultRefused(run, unstorable);
  }
  run.wake();
}
