/** Runs that come with their history: from elsewhere, or forked from one here. */
import type { ImportWrite, Outcome, RunRecord } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { gapIn } from "./journal.ts";
import { newRow, takenBy } from "./starting.ts";
import { awaitEnd } from "./waiting.ts";

export function importRun(scene: Scene, write: ImportWrite): Outcome {
  const { run, inputHash, journal, retries } = write;
  const taken = takenBy(scene, run.id);
  if (taken !== undefined) return { is: "conflict", workflow: taken.workflow };
  const reason = gapIn([], journal);
  if (reason !== undefined) return { is: "refused", reason };
  scene.draft.insert({
    ...newRow(imported(write, scene.now), inputHash),
    journal,
    messages: write.messages.map((message, index) => ({ no: index + 1, ...message, consumedBy: null })),
    retries: new Map(retries.map((state) => [state.key, state])),
  });
  for (const { runId, key } of write.awaits) awaitEnd(scene, runId, { runId: run.id, key });
  return { is: "done" };
}

function imported({ run, messages }: ImportWrite, now: number): RunRecord {
  const isAsleep = run.end !== null || run.stuck !== null || run.paused !== null;
  return {
    ...run,
    owner: null,
    dueAt: isAsleep ? null : now,
    inbox: messages.length,
    strikes: 0,
    strikesAlone: 0,
    interrupted: false,
    waits: [],
  };
}
