/** New runs: of a client, of another run, of an event. */
import type { NewRun, Outcome, RunRecord } from "../../store.ts";
import type { Scene } from "./batch.ts";
import type { RunRow } from "./rows.ts";
import { currentVersion } from "./workflows.ts";

interface Origin {
  readonly parent?: RunRecord["parent"];
  readonly event?: string;
}

interface StartOptions extends Origin {
  /** Born owned by the worker of the scene, if that is possible. */
  readonly claim?: boolean;
}

/** The answers to a start. */
export type Started = Extract<Outcome, { is: "created" | "exists" | "conflict" }>;

export function start(scene: Scene, run: NewRun, { claim = false, ...origin }: StartOptions = {}): Started {
  const { draft, now, worker } = scene;
  const taken = takenBy(scene, run.id);
  if (taken !== undefined) {
    const same = taken.workflow === run.workflow && taken.inputHash === run.inputHash;
    return same ? { is: "exists" } : { is: "conflict", workflow: taken.workflow };
  }
  const isPaused = draft.pauses.get(run.workflow) !== undefined;
  const claimed = claim && run.due === undefined && run.version !== null && !isPaused;
  const row = newRow(newRun(scene, run, origin), run.inputHash);
  const born = claimed ? { owner: worker, attempt: 1, startedAt: now, dueAt: null } : {};
  draft.insert({ ...row, run: { ...row.run, ...born } });
  return { is: "created", createdAt: now, claimed };
}

/** What an id stands for, also after a purge. */
export function takenBy(
  { draft }: Pick<Scene, "draft">,
  id: string,
): { readonly workflow: string; readonly inputHash: string } | undefined {
  const row = draft.run(id);
  return row === undefined ? draft.purged.get(id) : { workflow: row.run.workflow, inputHash: row.inputHash };
}

export function newRow(run: RunRecord, inputHash: string): Omit<RunRow, "no"> {
  return { run, inputHash, alone: false, heldDueAt: null, journal: [], messages: [], retries: new Map() };
}

function newRun({ draft, now }: Scene, given: NewRun, origin: Origin): RunRecord {
  const { id, workflow, input, tags, raw = false } = given;
  const told = given.version === null ? currentVersion(draft, workflow, now) : undefined;
  return {
    id,
    workflow,
    version: given.version ?? told?.version ?? "1",
    parent: origin.parent ?? null,
    event: origin.event ?? null,
    raw,
    input,
    priority: given.priority ?? told?.priority ?? 0,
    tags,
    timeoutMs: given.version === null ? (told?.timeoutMs ?? null) : given.timeoutMs,
    phase: "forward",
    end: null,
    owner: null,
    attempt: 0,
    dueAt: dueAt(given.due, now),
    stuck: null,
    paused: null,
    result: null,
    error: null,
    inbox: 0,
    strikes: 0,
    strikesAlone: 0,
    interrupted: false,
    waits: [],
    createdAt: now,
    startedAt: null,
    endedAt: null,
  };
}

function dueAt(due: NewRun["due"], now: number): number {
  if (due === undefined) return now;
  return "at" in due ? due.at : now + due.inMs;
}
