/** Forgetting what is over: ended runs, and what is remembered of runs and events for a while only. */
import { statusOf } from "../../engine/status.ts";
import type { Outcome, PurgeWrite } from "../../store.ts";
import type { Scene } from "./batch.ts";
import type { Changes } from "./draft.ts";
import type { RunRow } from "./rows.ts";
import { forgetWaiting } from "./waiting.ts";

const REMEMBERED_MS = 90 * 24 * 60 * 60 * 1000;
const FORGOTTEN_MAX = 1000;

export function purge(scene: Scene, { runId }: PurgeWrite): Outcome {
  const { draft, now } = scene;
  forgetOld(draft.purged, now);
  forgetOld(draft.events, now);
  const row = draft.run(runId);
  if (row === undefined) return { is: "not-found" };
  const family = familyOf(row, draft.runs());
  if (isCalledByLive(scene, row) || family.some(({ run }) => run.end === null)) {
    return { is: "wrong-state", status: statusOf(row.run, now) };
  }
  for (const { run, inputHash } of family) {
    draft.deleteRun(run.id);
    draft.purged.set(run.id, { id: run.id, workflow: run.workflow, inputHash, at: now });
  }
  forgetWaiting(scene, new Set(family.map(({ run }) => run.id)));
  return { is: "done" };
}

function isCalledByLive({ draft }: Scene, { run }: RunRow): boolean {
  const caller = run.parent?.called === true ? draft.run(run.parent.runId) : undefined;
  return caller !== undefined && caller.run.end === null;
}

/** The run, all runs that it called, and what those called. */
function familyOf(root: RunRow, runs: readonly RunRow[]): readonly RunRow[] {
  const called = Map.groupBy(runs, ({ run }) => (run.parent?.called === true ? run.parent.runId : undefined));
  const family = new Set([root]);
  for (const row of family) {
    for (const child of called.get(row.run.id) ?? []) family.add(child);
  }
  return [...family];
}

function forgetOld<V extends { readonly at: number }>(table: Changes<string, V>, now: number): void {
  const old = [...table.entries()].filter(([, { at }]) => at < now - REMEMBERED_MS);
  for (const [key] of old.slice(0, FORGOTTEN_MAX)) table.delete(key);
}
