/** The names and numbers of the workflows that their judges know. */

export interface Input {
  /** Decides what happens in it. */
  readonly no: number;
  readonly secret: string;
  /** Of a run that an event started: the run that emitted it. */
  readonly parent?: string;
}

export const NAMES = [
  "five",
  "gather",
  "saga",
  "posted",
  "bell",
  "careful",
  "crowd",
  "brittle",
  "grave",
  "ship",
  "paid",
  "family",
  "regret",
] as const;
/** `echo` is started by events only. */
export type Name = (typeof NAMES)[number] | "echo";

/** The event of each family, to which one workflow listens, and the signal that this answers with. */
export const BORN = "born";
export const ECHOED = "echoed";
/** The step of `regret` that fails for good the first time, until a person has the run go on. */
export const REGRETTED = "act";

/** The step that fails for good, and says that nothing happened. */
export const DECLINED = "decline";
/** Workflows whose steps follow one another. */
export const SEQUENCES: Readonly<Partial<Record<string, readonly string[]>>> = {
  five: ["one", "two", "three", "four", "five"],
  saga: ["reserve", "charge", "book", DECLINED],
  careful: ["before", "once", "after"],
  brittle: ["shape", "crack", "polish"],
  grave: ["dig", "bury", "mourn"],
  ship: ["pack", "label", DECLINED],
  paid: ["authorize", "capture", "receipt", DECLINED],
  family: ["knock", "leave", DECLINED],
};
/** Steps that are undone, of the workflows that may fail. */
export const UNDOABLE: Readonly<Partial<Record<string, readonly string[]>>> = {
  saga: ["reserve", "charge", "book"],
  ship: ["pack", "label"],
  paid: ["capture"],
};
/** The steps that a transaction settles. */
export const POSTINGS: ReadonlySet<string> = new Set(["debit", "credit"]);
/** How long `gather` sleeps. */
export const NAP_MS = 30;
/** How long `bell` waits for a ring, and what it takes for one when none came. */
export const PATIENCE_MS = 150;
export const NOBODY = "nobody";
/** A step that never begins twice, and its result when nobody knows whether it happened. */
export const AT_MOST_ONCE = "once";
export const IN_DOUBT = "in doubt";
/** Steps that are left to a person: the first when nobody knows whether it happened, the second when it has failed twice. */
export const LEFT_IN_DOUBT = "bury";
export const EXHAUSTED = "crack";
/** So many signals `crowd` waits for. */
export const SHOUTS = 3;
export const PRICE_CENTS = 1_999;

/** Whether that run fails, when nothing comes between. */
export function isToFail(name: string, { no }: Pick<Input, "no">): boolean {
  if (name === "saga") return true;
  if (name === "ship") return no % 2 === 1;
  if (name === "family") return no % 4 === 0;
  return name === "paid" && no % 3 === 0;
}
