import type { Outcome, RunStatus, Write } from "@everstep/core";
import { isClaimable } from "./wave-rows.ts";

/** What a batch was answered. */
export interface Applied {
  readonly at: number;
  readonly outcomes: readonly Outcome[];
  /** Runs that got something of this batch, which its writes don't name. */
  readonly woke: readonly string[];
}

/** What nearly every batch is answered: then its worker's row, where the reply is kept, is written once. */
export function expectedReply(writes: readonly Write[]): string {
  return writes.map(expectedLetter).join("");
}

function expectedLetter(write: Write): string {
  switch (write.kind) {
    case "start":
      return isClaimable(write.run, write.claim) ? "o" : "c";
    case "emit":
      return "E"; // never so short: which runs it started is always said
    default:
      return "d";
  }
}

/** The reply to a batch, as its worker's row keeps it. */
export function decodeReply(text: string): Applied {
  const { at, letters, each } = JSON.parse(text) as Reply;
  const answers = Array.from(each ?? letters ?? "", (answer) => decode(answer, at));
  return {
    at,
    outcomes: answers.map(({ outcome }) => outcome),
    woke: answers.flatMap(({ woke = [] }) => woke),
  };
}

interface Reply {
  readonly at: number;
  readonly letters?: string;
  readonly each?: readonly string[];
}

interface Answer {
  readonly outcome: Outcome;
  readonly woke?: readonly string[];
}

/** What was refused of an advance's sends, and which runs woke, list by list. */
interface DoneNote {
  readonly refused?: readonly { readonly seq: number; readonly reason: string }[] | null;
  readonly woke?: readonly (readonly string[])[] | null;
}

const DONE: Outcome = { is: "done" };
const FENCED: Outcome = { is: "fenced" };

function decode(answer: string, at: number): Answer {
  const text = answer.slice(1);
  if (answer[0] === "D") {
    const { refused, woke } = JSON.parse(text) as DoneNote;
    return { outcome: refused ? { is: "done", refused } : DONE, woke: woke?.flat() ?? [] };
  }
  if (answer[0] === "E") {
    const { runs, again } = JSON.parse(text) as { readonly runs: readonly string[]; readonly again: boolean };
    return { outcome: { is: "emitted", runs, again }, woke: again ? [] : runs };
  }
  return { outcome: outcomeOf(answer, text, at) };
}

function outcomeOf(answer: string, text: string, at: number): Outcome {
  switch (answer[0]) {
    case "d":
      return DONE;
    case "o":
      return { is: "created", createdAt: at, claimed: true };
    case "c":
      return { is: "created", createdAt: at, claimed: false };
    case "x":
      return { is: "exists" };
    case "C":
      return { is: "conflict", workflow: text };
    case "u":
      return { is: "duplicate" };
    case "n":
      return { is: "not-found" };
    case "e":
      return { is: "ended", status: text as Extract<Outcome, { is: "ended" }>["status"] };
    case "s":
      return { is: "wrong-state", status: text as RunStatus };
    case "m":
      return { is: "changed", status: text as RunStatus };
    case "i":
      return { is: "inbox-changed" };
    case "r":
      return { is: "refused", reason: text };
    default:
      return FENCED;
  }
}
