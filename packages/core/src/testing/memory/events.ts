/** Events: each starts one run of every workflow that listens, once (S13). */
import type { EventRecord, NewEvent, Outcome } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { type MemoryData, pairKey } from "./rows.ts";
import { start } from "./starting.ts";
import { listenersOf } from "./workflows.ts";

export type Emitted = Extract<Outcome, { is: "emitted" | "conflict" }>;

export function emit(scene: Scene, event: NewEvent): Emitted {
  const { draft, now } = scene;
  const { name, id, payloadHash } = event;
  const known = draft.events.get(pairKey(name, id));
  if (known !== undefined) {
    const same = known.payloadHash === payloadHash;
    return same ? { is: "emitted", runs: known.runs, again: true } : { is: "conflict", workflow: "" };
  }
  const runs = listenersOf(draft, name, now).flatMap((listener) => startOn(scene, event, listener.name));
  draft.events.set(pairKey(name, id), { name, id, at: now, payloadHash, runs, no: draft.nextNo() });
  return { is: "emitted", runs, again: false };
}

/** An id that is taken stays what it is: the event was emitted before it was forgotten. */
function startOn(scene: Scene, event: NewEvent, workflow: string): readonly string[] {
  const run = {
    id: `${event.runPrefix}${workflow}`,
    workflow,
    version: null,
    input: event.payload,
    inputHash: event.payloadHash,
    priority: null,
    tags: {},
    timeoutMs: null,
    raw: true,
  };
  return start(scene, run, { event: event.codecId }).is === "created" ? [run.id] : [];
}

export function listEvents(
  { events }: MemoryData,
  { name, limit }: { readonly name?: string; readonly limit: number },
): readonly EventRecord[] {
  return [...events.values()]
    .filter((event) => name === undefined || event.name === name)
    .toSorted((a, b) => b.no - a.no)
    .slice(0, limit)
    .map(({ name, id, at, runs }) => ({ name, id, at, runs: runs.length }));
}
