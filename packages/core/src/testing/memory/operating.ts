/** What a person wishes of one run: that it goes on, or that it waits. */
import { statusOf } from "../../engine/status.ts";
import type { Entry, OperateWrite, Outcome, RunRecord } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { deliver } from "./messages.ts";
import { freed, type RunRow } from "./rows.ts";

export function operate(scene: Scene, write: OperateWrite): Outcome {
  const row = scene.draft.run(write.runId);
  if (row === undefined) return { is: "not-found" };
  // An operator whose answer got lost asks again (S7).
  if (wasAsked(row, write.id)) return { is: "done" };
  return write.operation === "resume" ? resume(scene, row, write) : pause(scene, row, write);
}

const wasAsked = ({ journal, messages }: RunRow, operation: string): boolean =>
  journal.some(({ kind, key }) => (kind === "resume" || kind === "pause") && key === operation) ||
  messages.some(({ type, id }) => type === "operator" && id === operation);

function pause(scene: Scene, row: RunRow, write: OperateWrite): Outcome {
  const { draft, now } = scene;
  const { run } = row;
  if (run.end !== null || run.stuck !== null) return { is: "wrong-state", status: statusOf(run, now) };
  if (run.paused !== null) return { is: "done" };
  const heldDueAt = run.attempt === 0 ? run.dueAt : null;
  draft.set(row, { paused: { at: now, note: write.value }, dueAt: null }, { heldDueAt });
  record(scene, write);
  return { is: "done" };
}

function resume(scene: Scene, row: RunRow, write: OperateWrite): Outcome {
  const { draft, now } = scene;
  const { run } = row;
  if (run.stuck === null && run.paused === null) return { is: "wrong-state", status: statusOf(run, now) };
  if (run.owner !== null) draft.set(row, { paused: null });
  else draft.set(row, goingOn(row, now), { heldDueAt: null, retries: withoutPeople(row, now) });
  record(scene, write);
  return { is: "done" };
}

/** A run that was never claimed begins when it was to begin. */
function goingOn({ run, heldDueAt }: RunRow, now: number): Partial<RunRecord> {
  const mended = run.stuck === null ? {} : { strikes: 0, strikesAlone: 0, interrupted: false };
  return { ...freed({ paused: null }, heldDueAt ?? now), stuck: null, paused: null, ...mended };
}

/** The retry rows of a stuck run that wait for a person start anew; what is in doubt stays in doubt. */
function withoutPeople({ run, retries }: RunRow, now: number): RunRow["retries"] {
  if (run.stuck === null) return retries;
  return new Map(
    [...retries].map(([key, state]) => [
      key,
      state.nextAt === null ? { ...state, failures: 0, firstAt: now, nextAt: now } : state,
    ]),
  );
}

/** S4: in the journal of a run that nobody owns; the owner of any other writes the entry itself. */
function record(scene: Scene, { runId, operation, id, value }: OperateWrite): void {
  const { draft, now } = scene;
  const row = draft.run(runId);
  if (row === undefined) return;
  if (row.run.owner !== null)
    return deliver(scene, row, { type: "operator", id, name: operation, payload: value });
  const last = row.journal.at(-1);
  const entry: Entry = {
    seq: (last?.seq ?? 0) + 1,
    kind: operation,
    key: id,
    at: Math.max(now, last?.at ?? 0),
    value,
    attempt: row.run.attempt,
  };
  draft.put({ ...row, journal: [...row.journal, entry] });
}
