import { forkOf } from "../../engine/fork.ts";
import { type Codec, valuesOf } from "../../engine/values.ts";
import { DecodingError, RunConflictError } from "../../errors.ts";
import { checkRunId } from "../../engine/names.ts";
import type { RunRecord } from "../../store.ts";
import { type ClientCore, detailsOf } from "../client-core.ts";
import { inputHash, newRunId } from "../ids.ts";
import { type OrderOptions, orderOf } from "../notes.ts";
import { checkDone } from "./mending.ts";

export interface ForkOptions extends OrderOptions {
  /** The step at which the new run begins to go its own way: nothing before it is done again. */
  readonly from: string;
  /** Of the new run; a random one by default. */
  readonly id?: string;
}

/** The id of the new run, which is there when this resolves. */
export async function fork(core: ClientCore, source: string, options: ForkOptions): Promise<string> {
  const id = options.id ?? newRunId(core.clock.now());
  checkRunId(id);
  const { codec } = core;
  const details = await detailsOf(core, source);
  const values = valuesOf(source, codec);
  const forked = forkOf({ details, values, order: orderOf(options), codec, id, from: options.from });
  const outcome = await core.write({
    kind: "import",
    ...forked,
    inputHash: hashOfInput(details.run, codec),
  });
  if (outcome.is === "conflict") throw new RunConflictError(id, outcome.workflow, "give the fork another id");
  checkDone(id, outcome, `to fork it from ${source}`);
  return id;
}

/** That with which `start` would compare. */
export function hashOfInput({ id, event, input }: RunRecord, codec: Codec | undefined): string {
  try {
    return inputHash(codec?.decode(input, { runId: event ?? id, key: "" }) ?? input);
  } catch (error) {
    throw new DecodingError(`run ${id}: its input`, error);
  }
}
