/**
 * Hunts the mutants: each has to be found by the simulated campaign, which finds nothing in the engine as it is.
 * What a mutant breaks is what counts: one whose process only hangs or dies is told apart.
 */
import type { PartName } from "../simulated/parts.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { type Outcome, tryOnce } from "./trial.ts";

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
  /** Processes side by side; default 2. */
  readonly processes?: number;
  /** What one process may take; default 30 s. */
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

const LIMIT_MS = 30_000;
const LINE_MAX = 200;

/** Which parts are gone through until one finds something, after the mutant's own. */
const OTHER_PARTS: readonly PartName[] = ["series", "sampled", "simulations"];

/** One verdict for each mutant, in their order. Rejects with `VoidHuntError` when the engine itself is found wanting. */
export async function hunt(options: HuntOptions): Promise<readonly Verdict[]> {
  const findings: string[] = [];
  const verdicts = new Map<Mutant, Verdict>();
  const engine = partsInUse().map((part) => async () => {
    findings.push(...findingsOf(await tryOnce({ ...trialOf(options), change: undefined, part })));
  });
  const mutants = MUTANTS.map((mutant) => async () => {
    const verdict = await hunted(mutant, options);
    verdicts.set(mutant, verdict);
    options.told?.(verdict);
  });
  await sideBySide([...engine, ...mutants], options.processes ?? 2);
  if (findings.length > 0) throw new VoidHuntError(findings);
  return MUTANTS.flatMap((mutant) => verdicts.get(mutant) ?? []);
}

function partsInUse(): readonly PartName[] {
  return [...new Set([...MUTANTS.map(({ part }) => part), ...OTHER_PARTS])];
}

function trialOf({ seed, limitMs = LIMIT_MS }: HuntOptions): {
  readonly seed: string;
  readonly limitMs: number;
} {
  return { seed, limitMs };
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

async function hunted(mutant: Mutant, options: HuntOptions): Promise<Verdict> {
  const { does } = mutant;
  const since = Date.now();
  const alive: Verdict = { does, killed: false, by: "", line: "", seconds: 0 };
  let problem = "it lives: nothing was found";
  for (const part of new Set([mutant.part, ...OTHER_PARTS])) {
    const outcome = await tryOnce({ ...trialOf(options), change: mutant, part });
    const seconds = (Date.now() - since) / 1000;
    if (outcome.is === "void") return { ...alive, seconds, problem: `it was not bred: ${outcome.why}` };
    if (outcome.is === "failed") problem = `${part}: ${outcome.how}`;
    else {
      const [first] = outcome.violations;
      if (first !== undefined) return { ...killedBy(mutant, first), part, seconds };
    }
  }
  return { ...alive, seconds: (Date.now() - since) / 1000, problem };
}

function killedBy({ does, breaks }: Mutant, violation: string): Omit<Verdict, "part" | "seconds"> {
  const found = violation.replace(/^.*?repeats it: /s, "");
  const by = /\b[ILEP]\d+\b/.exec(found)?.[0] ?? "";
  const verdict = { does, by, line: found.slice(0, LINE_MAX) };
  if (breaks.includes(by)) return { ...verdict, killed: true };
  return { ...verdict, killed: false, problem: `it was to break ${breaks.join(" or ")}: ${verdict.line}` };
}

async function sideBySide(tasks: readonly (() => Promise<void>)[], many: number): Promise<void> {
  const queue = tasks.values();
  const work = async (): Promise<void> => {
    for (const task of queue) await task();
  };
  await Promise.all(Array.from({ length: many }, work));
}
