/** What a part of the campaign has been through, and what it found. */
import type { Fault, FaultPlan } from "@everstep/core/testing";

export interface Tried {
  readonly programs: number;
  readonly runs: number;
  /** Faults that were met, by kind: `call before` … */
  readonly faults: Readonly<Record<string, number>>;
  /** Runs that went such a way. */
  readonly branches: Readonly<Record<string, number>>;
  /** One line each that repeats it. */
  readonly violations: readonly string[];
}

/** More would say nothing new. */
const VIOLATIONS_MAX = 5;

export class Tally {
  readonly #faults: Record<string, number> = {};
  readonly #branches: Record<string, number> = {};
  readonly #violations: string[] = [];
  programs = 0;
  runs = 0;

  /** Enough was found. */
  get isFull(): boolean {
    return this.#violations.length >= VIOLATIONS_MAX;
  }

  get tried(): Tried {
    return {
      programs: this.programs,
      runs: this.runs,
      faults: this.#faults,
      branches: this.#branches,
      violations: this.#violations,
    };
  }

  /** All but the violations. */
  add({ programs, runs, faults, branches }: Tried): void {
    this.programs += programs;
    this.runs += runs;
    for (const [kind, count] of Object.entries(faults)) this.count(kind, count);
    for (const [branch, count] of Object.entries(branches)) this.went(branch, count);
  }

  met(plan: FaultPlan, met: readonly boolean[]): void {
    for (const [index, fault] of plan.entries())
      if (fault !== undefined && met[index] === true) this.count(kindOf(fault));
  }

  count(kind: string, times: number = 1): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + times;
  }

  went(branch: string, times: number = 1): void {
    this.#branches[branch] = (this.#branches[branch] ?? 0) + times;
  }

  violated(error: unknown): void {
    this.#violations.push(error instanceof Error ? error.message : String(error));
  }
}

const kindOf = ({ point, how }: Fault): string => `${point} ${how}`;

const DEATHS: ReadonlySet<string> = new Set(["call before", "call after", "effect before", "effect after"]);

/** Processes that died. */
export function crashesIn(faults: Tried["faults"]): number {
  return Object.entries(faults)
    .filter(([kind]) => DEATHS.has(kind))
    .reduce((sum, [, count]) => sum + count, 0);
}

export function sumOf(all: readonly Tried[]): Tried {
  const tally = new Tally();
  for (const one of all) tally.add(one);
  return { ...tally.tried, violations: all.flatMap(({ violations }) => violations) };
}
