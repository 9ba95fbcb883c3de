/**
 * The run that a change is meant for. A shortened id is a guess: where `order-42` was purged, `order-4` would be another run. So it takes a
 * person who reads the whole id and says yes; scripts give whole ids.
 */
import type { Client } from "@everstep/core";
import { EXIT } from "../exit-code.ts";
import { CommandError } from "../failure.ts";
import type { Io } from "../io.ts";
import { resolveRunId } from "../run-ids.ts";
import { canAsk } from "./confirmation.ts";

export interface NamedRun {
  readonly id: string;
  readonly isGuess: boolean;
}

export async function namedRun(
  client: Client,
  word: string,
  { io, yes }: { readonly io: Io; readonly yes: boolean },
): Promise<NamedRun> {
  const id = await resolveRunId(client, word);
  if (id === word) return { id, isGuess: false };
  if (!yes && canAsk(io)) return { id, isGuess: true };
  throw new CommandError(
    "RUN_NOT_FOUND",
    `no run has the id ${word}; ${id} begins so: give the whole id, for nobody can be asked here whether it is meant`,
    EXIT.notFound,
  );
}
