/** Runs that wait for the end of others, and how they are told of it (S12). */
import type { ChildEnd, RunRecord } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { deliver } from "./messages.ts";
import type { Waiter } from "./rows.ts";

type Where = Pick<Scene, "draft" | "now">;

/** From now on, until it is told: at once, if that run has ended already. A run that is not here is waited for by nobody. */
export function awaitEnd(scene: Where, runId: string, waiter: Omit<Waiter, "no">): void {
  const { draft } = scene;
  if (draft.run(runId) === undefined) return;
  const others = (draft.waiters.get(runId) ?? []).filter((other) => !isSame(other, waiter));
  setWaiters(scene, runId, [...others, { ...waiter, no: draft.nextNo() }]);
  tellWaiters(scene, runId);
}

/** Tells all who wait for this run, if it has ended. One that has ended itself goes on waiting, in case that it is mended. */
export function tellWaiters(scene: Where, runId: string): void {
  const { draft } = scene;
  const ended = draft.run(runId)?.run;
  if (ended === undefined || ended.end === null) return;
  const left = (draft.waiters.get(runId) ?? []).filter((waiter) => !tell(scene, waiter, ended));
  setWaiters(scene, runId, left);
}

/** Tells a run of all ends that it missed while it had ended itself. */
export function tellOfMissed(scene: Where, waiting: string): void {
  const missed = [...scene.draft.waiters.entries()].flatMap(([runId, waiters]) =>
    waiters.filter((waiter) => waiter.runId === waiting).map(({ no }) => ({ runId, no })),
  );
  for (const { runId } of missed.toSorted((a, b) => a.no - b.no)) tellWaiters(scene, runId);
}

/** Forgets who waits for these runs, and what they waited for. */
export function forgetWaiting(scene: Where, runIds: ReadonlySet<string>): void {
  for (const [runId, waiters] of scene.draft.waiters.entries()) {
    const left = runIds.has(runId) ? [] : waiters.filter((waiter) => !runIds.has(waiter.runId));
    if (left.length < waiters.length) setWaiters(scene, runId, left);
  }
}

function tell(scene: Where, { runId, key }: Waiter, ended: RunRecord): boolean {
  const row = scene.draft.run(runId);
  if (row === undefined || row.run.end !== null) return false;
  deliver(scene, row, { type: "child", id: ended.id, name: key, payload: JSON.stringify(endOf(ended)) });
  return true;
}

function endOf({ end, result, error }: RunRecord): Partial<ChildEnd> {
  return {
    ...(end === null ? {} : { status: end }),
    ...(result === null ? {} : { result }),
    ...(error === null ? {} : { error }),
  };
}

function setWaiters({ draft }: Where, runId: string, waiters: readonly Waiter[]): void {
  if (waiters.length === 0) draft.waiters.delete(runId);
  else draft.waiters.set(runId, waiters);
}

const isSame = (a: Omit<Waiter, "no">, b: Omit<Waiter, "no">): boolean =>
  a.runId === b.runId && a.key === b.key;
