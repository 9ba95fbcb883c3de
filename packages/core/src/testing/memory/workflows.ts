/** What workers told of their workflows, which version is the current one, and which workflows are paused. */
import type { Outcome, PauseWorkflowWrite, WorkflowRecord, WorkflowSpec } from "../../store.ts";
import type { Scene } from "./batch.ts";
import type { Draft } from "./draft.ts";
import { isCapable, pairKey, type WorkerRow, type WorkflowRow } from "./rows.ts";

export function tellOf(draft: Draft, specs: readonly WorkflowSpec[], now: number): void {
  for (const { name, version, on, priority, timeoutMs } of specs) {
    const key = pairKey(name, version);
    const { no, since } = draft.workflows.get(key) ?? { no: draft.nextNo(), since: now };
    draft.workflows.set(key, { name, version, on, priority, timeoutMs, no, since });
  }
}

interface Told {
  readonly workflows: readonly WorkflowRow[];
  readonly workers: readonly WorkerRow[];
}

const told = (draft: Draft): Told => ({
  workflows: draft.workflows.values(),
  workers: draft.workers.values(),
});

export function currentVersion(draft: Draft, name: string, now: number): WorkflowRow | undefined {
  return current(told(draft), name, now);
}

/** The current version of every workflow that starts runs on this event, by name. */
export function listenersOf(draft: Draft, event: string, now: number): readonly WorkflowRow[] {
  const all = told(draft);
  const names = new Set(all.workflows.filter(({ on }) => on === event).map(({ name }) => name));
  return [...names]
    .toSorted()
    .flatMap((name) => current(all, name, now) ?? [])
    .filter(({ on }) => on === event);
}

function current({ workflows, workers }: Told, name: string, now: number): WorkflowRow | undefined {
  const versions = workflows.filter((row) => row.name === name);
  const live = versions.filter((row) => liveWorkers(workers, row, now) > 0);
  return (live.length > 0 ? live : versions).toSorted((a, b) => a.no - b.no).at(-1);
}

function liveWorkers(workers: readonly WorkerRow[], { name, version }: WorkflowRow, now: number): number {
  return workers.filter(
    (worker) =>
      isCapable(worker, now) &&
      worker.workflows.some((known) => known.name === name && known.version === version),
  ).length;
}

export function listWorkflows(draft: Draft, now: number): readonly WorkflowRecord[] {
  const all = told(draft);
  return all.workflows
    .toSorted((a, b) => (a.name === b.name ? a.no - b.no : a.name < b.name ? -1 : 1))
    .map(({ no, ...row }) => ({
      ...row,
      current: current(all, row.name, now)?.no === no,
      liveWorkers: liveWorkers(all.workers, { ...row, no }, now),
      paused: draft.pauses.get(row.name) ?? null,
    }));
}

export function pauseWorkflow({ draft, now }: Scene, { workflow, note }: PauseWorkflowWrite): Outcome {
  if (note === null) draft.pauses.delete(workflow);
  else if (draft.pauses.get(workflow) === undefined) draft.pauses.set(workflow, { at: now, note });
  return { is: "done" };
}
