/**
 * Hunts the mutants: each has to be found by the simulated campaign, which finds nothing in the engine as it is.
 * Each is looked for slice by slice until something is found, and the engine itself has to go through all that found anything.
 */
import type { PartName } from "../simulated/parts.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { type Outcome, type Slice, trySlice } from "./trial.ts";

export interface Verdict {
  readonly does: string;
  readonly killed: boolean;
  /** The invariant that it was found to break, such as `I13`; empty when none was. */
  readonly by: string;
  /** The part of the campaign that found it. */
  readonly part?: PartName;
  /** What was found, shortened. */
  readonly line: string;
  readonly seconds: number;
  /** Why it was not killed. */
  readonly problem?: string;
}

export interface HuntOptions {
  readonly seed: string;
  /** Default: all. */
  readonly mutants?: readonly Mutant[];
  /** Processes side by side; default 2. */
  readonly processes?: number;
  /** What one process may take; default two minutes. */
  readonly limitMs?: number;
  /** Told of each verdict as it comes. */
  readonly told?: (verdict: Verdict) => void;
}

/** The campaign found something in the engine as it is: so what it finds in mutants says nothing. */
export class VoidHuntError extends Error {
  constructor(findings: readonly string[]) {
    super(`the hunt is void, the engine itself was caught: ${findings.join("\n")}`);
    this.name = "VoidHuntError";
  }
}

const LIMIT_MS = 120_000;
const LINE_MAX = 200;

/** Slices of its own part, before the others are tried: the rarest mutants show in about every second one. */
const ROUNDS = 10;
const OTHER_PARTS: readonly PartName[] = ["series", "simulations", "sampled"];

/** One verdict for each mutant, in their order. Rejects with `VoidHuntError` when the engine itself is found wanting. */
export async function hunt(options: HuntOptions): Promise<readonly Verdict[]> {
  const { processes = 2, limitMs = LIMIT_MS, mutants = MUTANTS, seed, told } = options;
  const used = new Map<string, Slice>();
  const verdicts = await sideBySide(mutants, processes, async (mutant) => {
    const verdict = await hunted(mutant, seed, (slice) => {
      used.set(`${slice.part} ${slice.seed}`, slice);
      return trySlice(slice, mutant, limitMs);
    });
    told?.(verdict);
    return verdict;
  });
  const outcomes = await sideBySide([...used.values()], processes, (slice) =>
    trySlice(slice, undefined, limitMs),
  );
  const findings = outcomes.flatMap(findingsOf);
  if (findings.length > 0) throw new VoidHuntError(findings);
  return verdicts;
}

function* slicesOf({ part }: Mutant, seed: string): Generator<Slice> {
  for (let round = 1; round <= ROUNDS; round++) yield { part, seed: `${seed} ${round}` };
  for (const other of OTHER_PARTS) if (other !== part) yield { part: other, seed: `${seed} 1` };
}

async function hunted(
  mutant: Mutant,
  seed: string,
  attempt: (slice: Slice) => Promise<Outcome>,
): Promise<Verdict> {
  const since = Date.now();
  const seconds = (): number => (Date.now() - since) / 1000;
  const alive = { does: mutant.does, killed: false, by: "", line: "" };
  for (const slice of slicesOf(mutant, seed)) {
    const outcome = await attempt(slice);
    if (outcome.is === "found" && outcome.violations.length > 0)
      return { ...judged(mutant, outcome.violations), part: slice.part, seconds: seconds() };
    if (outcome.is !== "found") {
      const problem = outcome.is === "void" ? `it was not bred: ${outcome.why}` : outcome.how;
      return { ...alive, part: slice.part, seconds: seconds(), problem };
    }
  }
  return { ...alive, seconds: seconds(), problem: "it lives: nothing was found" };
}

/** By what it is to break, if that is among what was found. */
function judged({ does, breaks }: Mutant, violations: readonly string[]): Omit<Verdict, "part" | "seconds"> {
  const found = violations.map((violation) => {
    const line = violation.replace(/^.*?repeats it: /s, "").slice(0, LINE_MAX);
    return { by: /\b[ILEP]\d+\b/.exec(line)?.[0] ?? "", line };
  });
  const expected = found.find(({ by }) => breaks.includes(by));
  if (expected !== undefined) return { does, killed: true, ...expected };
  const [first = { by: "", line: "" }] = found;
  return {
    does,
    killed: false,
    ...first,
    problem: `it was to break ${breaks.join(" or ")}, and did another`,
  };
}

function findingsOf(outcome: Outcome): readonly string[] {
  switch (outcome.is) {
    case "found":
      return outcome.violations;
    case "failed":
      return [outcome.how];
    case "void":
      return [outcome.why];
  }
}

/** So many at a time; the answers in the order of the list. */
async function sideBySide<A, B>(
  list: readonly A[],
  many: number,
  task: (one: A) => Promise<B>,
): Promise<readonly B[]> {
  const answers: B[] = [];
  const queue = list.entries();
  const work = async (): Promise<void> => {
    for (const [index, one] of queue) answers[index] = await task(one);
  };
  await Promise.all(Array.from({ length: many }, work));
  return answers;
}
