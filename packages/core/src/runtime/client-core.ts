import type { Clock } from "../clock.ts";
import type { Codec } from "../engine/values.ts";
import { RunNotFoundError } from "../errors.ts";
import { checkRunId } from "../engine/names.ts";
import type { Outcome, RunDetails, Store, Write } from "../store.ts";
import type { Hub } from "./hub.ts";

/** What handles and `client.runs` need of their client. */
export interface ClientCore {
  readonly store: Store;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly codec: Codec | undefined;
  readonly maxPayloadBytes: number;
  /** Durable when it settles. */
  write(write: Write): Promise<Outcome>;
  /** The outcome when it is known already, which it is with a synchronous driver. */
  writeIn(tx: unknown, write: Write): { readonly now: Outcome | undefined; readonly later: Promise<Outcome> };
}

export async function detailsOf({ store }: ClientCore, id: string): Promise<RunDetails> {
  checkRunId(id);
  const details = await store.read(id);
  if (details === undefined) throw new RunNotFoundError(id);
  return details;
}
