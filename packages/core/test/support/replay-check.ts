/** I12: the journal of an ended run, replayed with the same code, comes to the same end and executes no body. */
import { strict as assert } from "node:assert";
import { type RunDump, replay } from "../../src/testing/index.ts";
import { valuesOf } from "../../src/engine/values.ts";
import { interpreter, type Program } from "./programs.ts";

export async function replaysWithoutBodies(run: RunDump, program: Program): Promise<void> {
  const bodies: string[] = [];
  const definition = interpreter({
    effect: async (name) => {
      bodies.push(name);
    },
    failsNow: (name) => {
      bodies.push(name);
      return false;
    },
  });
  const outcome = await replay(definition, { run, journal: run.journal, messages: [], retries: [] });
  assert.deepEqual(bodies, [], "I12: a replay executes no body");
  assert.ok(
    outcome.is === "ended",
    `I12: a replay of ${program.join(",")} ends, not ${JSON.stringify(outcome)}`,
  );
  const values = valuesOf(run.id, undefined);
  const ended = {
    status: run.end,
    result: run.result === null ? undefined : values.fromText(run.result, "", "its result"),
    error: run.error === null ? undefined : values.errorFromText(run.error, "", "its error").message,
  };
  const { status } = outcome;
  const [result, error] =
    status === "completed" ? [outcome.result, undefined] : [undefined, outcome.error.message];
  assert.deepEqual({ status, result, error }, ended, "I12: a replay comes to the same end");
  assert.deepEqual(outcome.adds, [`end ${run.end}`], "I12: a replay adds nothing but the end");
}
