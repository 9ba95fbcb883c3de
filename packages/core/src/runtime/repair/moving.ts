import { moveMend } from "../../engine/repair.ts";
import { statusOf } from "../../engine/status.ts";
import { InvalidArgumentError, RunStateError } from "../../errors.ts";
import type { RunDetails } from "../../store.ts";
import type { AnyWorkflow, Workflow } from "../../definition.ts";
import { type ClientCore, detailsOf } from "../client-core.ts";
import { checkDefinition } from "../definition-check.ts";
import type { OrderOptions } from "../notes.ts";
import { goesOn } from "../recorded.ts";
import { type Replay, replayClaim } from "../replay-stage.ts";
import { mend } from "./mending.ts";

export interface MoveOptions extends OrderOptions {
  /** The definition with the version that the run is to have. */
  readonly to: AnyWorkflow;
  /** A stuck run goes on at once; by default it stays stuck. */
  readonly resume?: boolean;
}

/** Its journal is replayed with the new code first, without calling any body of it. */
export async function move(core: ClientCore, id: string, options: MoveOptions): Promise<void> {
  checkDefinition("what a run is moved to", options.to);
  const definition = options.to as Workflow;
  return mend(core, id, options, async (given) => {
    const { details } = given;
    checkMovable(details, definition);
    const replay = await replayWith(core, definition, details);
    if (replay.is === "diverged" || replay.is === "stuck")
      throw stateError(
        details,
        `it can't go on with version ${definition.version}, and was left as it is. ${replay.message}`,
      );
    return moveMend(given, definition.version, options.resume ?? false);
  });
}

/** What would come of the run with this code. Nothing is written. */
export async function replay(core: ClientCore, id: string, workflow: AnyWorkflow): Promise<Replay> {
  const details = await detailsOf(core, id);
  const definition = workflow as Workflow;
  checkWorkflow(details, definition, "replayed with");
  return replayWith(core, definition, details);
}

function replayWith(core: ClientCore, definition: Workflow, details: RunDetails): Promise<Replay> {
  const recorded = goesOn({ ...details, run: { ...details.run, version: definition.version } });
  return replayClaim(definition, recorded, core.codec);
}

function checkWorkflow({ run }: RunDetails, { name }: Workflow, wish: string): void {
  if (run.workflow !== name)
    throw new InvalidArgumentError(
      `run ${run.id} is one of workflow ${run.workflow}, it can't be ${wish} ${name}`,
    );
}

function checkMovable(details: RunDetails, definition: Workflow): void {
  const { run } = details;
  const { version } = definition;
  checkWorkflow(details, definition, "moved to");
  if (run.end !== null) throw stateError(details, "it has ended, and has no use for another version");
  if (run.owner !== null)
    throw stateError(details, "pause it first, and wait until its worker has let go of it");
  if (run.version === version) throw stateError(details, `it is one of version ${version} already`);
}

function stateError({ run, now }: RunDetails, remedy: string): RunStateError {
  return new RunStateError(run.id, statusOf(run, now), remedy);
}
