/** What runs are sent: signals and orders to cancel. */
import type { Message, NewMessage, Outcome, RunRecord } from "../../store.ts";
import type { Scene } from "./batch.ts";
import type { RunRow } from "./rows.ts";

/** The answers to a message. */
export type Sent = Extract<Outcome, { is: "duplicate" | "not-found" | "ended" }> | { readonly is: "done" };

export function send(scene: Scene, runId: string, message: NewMessage): Sent {
  const row = scene.draft.run(runId);
  if (row === undefined) return { is: "not-found" };
  // S7: the id is looked up before the end of the run, so that a sender who repeats itself hears what is true.
  if (row.messages.some(({ id, type }) => id === message.id && type === message.type))
    return { is: "duplicate" };
  if (row.run.end !== null) return { is: "ended", status: row.run.end };
  deliver(scene, row, message);
  return { is: "done" };
}

/** Puts a message into the inbox of a run that has not ended, and wakes it (S6). */
export function deliver(
  { draft, now }: Pick<Scene, "draft" | "now">,
  row: RunRow,
  message: Omit<Message, "no" | "at">,
): void {
  const no = row.run.inbox + 1;
  draft.set(
    row,
    { ...wakeUp(row.run, message.type, now), inbox: no },
    {
      messages: [...row.messages, { no, ...message, at: now, consumedBy: null }],
      ...(message.type === "cancel" ? { heldDueAt: null } : {}),
    },
  );
}

/**
 * S6. A run that is due already keeps its place in the queue; one that is stuck or paused, or whose start is delayed, moves
 * for a cancel only.
 */
function wakeUp(run: RunRecord, type: Message["type"], now: number): Partial<RunRecord> {
  const ended = type === "cancel" ? { stuck: null, paused: null } : {};
  const asleep = run.stuck !== null || run.paused !== null || run.attempt === 0;
  if (run.owner !== null) return ended;
  if (asleep && type !== "cancel") return {};
  return { ...ended, dueAt: Math.min(run.dueAt ?? now, now) };
}
