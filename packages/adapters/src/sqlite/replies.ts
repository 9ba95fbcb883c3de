import type { Outcome } from "@everstep/core";
import { DONE, FENCED } from "./scope.ts";

/**
 * The answers of a worker's last batch, kept for the case that it asks again (S2). They are written with every batch, so
 * nearly every answer is one letter; runs are created at the instant of their batch.
 */
interface Replies {
  readonly at: number;
  readonly letters: string;
  /** What no letter stands for, in order. */
  readonly others?: readonly Outcome[];
}

const LETTERS: Readonly<Record<string, (at: number) => Outcome>> = {
  d: () => DONE,
  f: () => FENCED,
  o: (createdAt) => ({ is: "created", createdAt, claimed: true }),
  c: (createdAt) => ({ is: "created", createdAt, claimed: false }),
};

export function encodeReplies(outcomes: readonly Outcome[], at: number): string {
  let letters = "";
  const others: Outcome[] = [];
  for (const outcome of outcomes) {
    const letter = letterOf(outcome);
    letters += letter;
    if (letter === "?") others.push(outcome);
  }
  const replies: Replies = others.length === 0 ? { at, letters } : { at, letters, others };
  return JSON.stringify(replies);
}

export function decodeReplies(text: string): readonly Outcome[] {
  const { at, letters, others = [] } = JSON.parse(text) as Replies;
  let next = 0;
  return Array.from(letters, (letter) => LETTERS[letter]?.(at) ?? others[next++] ?? FENCED);
}

function letterOf(outcome: Outcome): string {
  if (outcome.is === "done") return "refused" in outcome ? "?" : "d";
  if (outcome.is === "created") return outcome.claimed ? "o" : "c";
  return outcome.is === "fenced" ? "f" : "?";
}
