/** What a run sends out, in the transaction of the entries that say so (S11). */
import type { NewEntry, Send } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { emit } from "./events.ts";
import { send } from "./messages.ts";
import { start } from "./starting.ts";
import { awaitEnd } from "./waiting.ts";

export interface Refusal {
  readonly seq: number;
  readonly reason: string;
}

/** Does all that can be done of it; answers the rest. */
export function sendAll(scene: Scene, sender: string, sends: readonly Send[]): readonly Refusal[] {
  return sends.flatMap((one) => {
    const reason = whyRefused(scene, sender, one);
    return reason === undefined || one.seq === null ? [] : [{ seq: one.seq, reason }];
  });
}

function whyRefused(scene: Scene, sender: string, one: Send): string | undefined {
  switch (one.kind) {
    case "start":
      return startChild(scene, sender, one);
    case "message": {
      const outcome = send(scene, one.runId, one.message);
      if (outcome.is === "ended") return `ended ${outcome.status}`;
      return outcome.is === "not-found" ? outcome.is : undefined;
    }
    case "emit":
      return emit(scene, one.event).is === "conflict" ? "conflict" : undefined;
  }
}

function startChild(
  scene: Scene,
  sender: string,
  { run, key, awaited }: Extract<Send, { kind: "start" }>,
): string | undefined {
  const outcome = start(scene, run, { parent: { runId: sender, key, called: awaited } });
  if (outcome.is === "conflict") return `conflict ${outcome.workflow}`;
  if (!awaited) return undefined;
  // Its end was purged with it: nobody could ever be told.
  if (scene.draft.run(run.id) === undefined) return "not-found";
  awaitEnd(scene, run.id, { runId: sender, key });
  return undefined;
}

/** The entries, with the reason of each refusal as an error. */
export function withErrors<E extends NewEntry>(
  entries: readonly E[],
  refused: readonly Refusal[],
): readonly E[] {
  if (refused.length === 0) return entries;
  const reasons = new Map(refused.map(({ seq, reason }) => [seq, reason]));
  return entries.map((entry) => {
    const error = reasons.get(entry.seq);
    return error === undefined ? entry : { ...entry, error };
  });
}
