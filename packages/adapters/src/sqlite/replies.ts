import type { Outcome, Write } from "@everstep/core";
import { DONE } from "./scope.ts";

/**
 * The answers of a worker's last batch, kept for the case that it asks again (S2). Nearly all batches get nothing but plain
 * answers, which follow from the writes: null stands for them, so that the usual batch writes no reply at all.
 */
export function encodeReplies(writes: readonly Write[], outcomes: readonly Outcome[]): string | null {
  if (writes.every((write, index) => isPlain(write, outcomes[index]))) return null;
  return JSON.stringify(outcomes.map((outcome, index) => (isPlain(writes[index], outcome) ? null : outcome)));
}

/** The outcomes again. `createdAt` tells when a run was created. */
export function decodeReplies(
  replies: string | null,
  writes: readonly Write[],
  createdAt: (runId: string) => number,
): readonly Outcome[] {
  const kept = replies === null ? [] : (JSON.parse(replies) as readonly (Outcome | null)[]);
  return writes.map((write, index) => kept[index] ?? plainOutcome(write, createdAt));
}

function isPlain(write: Write | undefined, outcome: Outcome | undefined): boolean {
  if (write?.kind !== "start") return outcome?.is === "done";
  return outcome?.is === "created" && outcome.claimed === isClaiming(write);
}

function plainOutcome(write: Write, createdAt: (runId: string) => number): Outcome {
  if (write.kind !== "start") return DONE;
  return { is: "created", createdAt: createdAt(write.run.id), claimed: isClaiming(write) };
}

/** A run with a `due` is never born claimed. */
function isClaiming(write: Extract<Write, { kind: "start" }>): boolean {
  return write.claim && write.run.due === undefined;
}
