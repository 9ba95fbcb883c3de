import type { AdvanceWrite } from "../store.ts";
import type { Activation } from "./activation.ts";

/** What is still written of a run whose data the store or the codec refused: that a person has to look, and what nobody knows. */
export function refusalOf({ runId, attempt, machine, values, host }: Activation, why: string): AdvanceWrite {
  const message = `run ${runId}: ${why}. Nothing of that write was kept; find the value, fix the code, and resume the run.`;
  host.logger.error(message, { run: runId });
  const stuck = {
    code: "REFUSED",
    message: values.toText(message, "", "why it is stuck"),
    at: host.now(),
  };
  const retries = machine.doubts();
  return {
    kind: "advance",
    runId,
    attempt,
    entries: [],
    ...(retries.length === 0 ? {} : { retries }),
    then: { do: "stick", stuck },
  };
}
