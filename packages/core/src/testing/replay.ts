/** A recorded run against today's code, for CI. */
import type { Codec } from "../engine/values.ts";
import { type Replay, replayClaim } from "../runtime/replay-stage.ts";
import type { Workflow } from "../definition.ts";
import { type RecordedRun, recordedAs } from "./replay-claim.ts";

export type { Replay } from "../runtime/replay-stage.ts";

export interface ReplayOptions {
  /** That of the worker that recorded the run. */
  readonly codec?: Codec;
}

/**
 * Replays a recorded run with the code that it is given, and says what would come of it. It needs no store, and calls no body. Keep
 * runs of production as fixtures, best as the JSON of `store.read(id)`, which loses nothing, and let CI say whether a deploy would
 * leave them stuck. Time stands at the last entry, but a retry that is waited for is due. A stuck run is replayed as if it had been resumed.
 *
 * Throws `InvalidArgumentError` for a run of another workflow or version.
 */
export async function replay<I, O>(
  workflow: Workflow<I, O>,
  recorded: RecordedRun,
  { codec }: ReplayOptions = {},
): Promise<Replay<O>> {
  const definition = workflow as unknown as Workflow;
  const outcome = await replayClaim(definition, recordedAs(recorded, definition, codec), codec);
  return outcome as Replay<O>;
}
