/** A program, hit at every point at which it can be. */
import type { Fault, FaultPlan, ProcessReport } from "@everstep/core/testing";
import type { Program } from "../programs/program.ts";
import { type CaseReport, type Settings, tryCase } from "./case.ts";
import type { Tally } from "./tally.ts";

const CALL_FAULTS = ["before", "after", "lost", "refused", "frozen", "late"] as const;
const EFFECT_FAULTS = ["before", "after"] as const;

export interface SweepOptions {
  readonly tally: Tally;
  readonly settings?: Settings;
  /** Of all faults, which are tried. */
  readonly keep?: (fault: Fault) => boolean;
}

/** Each fault alone, at each point of each of its processes. */
export async function sweepSingles(program: Program, options: SweepOptions): Promise<void> {
  options.tally.programs += 1;
  const plain = await tryPlan(program, [], options);
  for (const plan of plansOf(plain, options)) await tryPlan(program, plan, options);
}

/** Each crash, and each crash of the process that recovers from it; for programs with few points only. */
export async function sweepPairs(program: Program, pointsMax: number, options: SweepOptions): Promise<void> {
  const plain = await tryPlan(program, [], options);
  const points =
    plain?.processes.reduce((sum, { calls, effects }) => sum + calls.length + effects.length, 0) ?? 0;
  if (points > pointsMax) return;
  options.tally.programs += 1;
  const { keep: _all, ...everything } = options;
  for (const plan of plansOf(plain, { ...everything, keep: kills })) {
    const once = await tryPlan(program, plan, options);
    const next = once?.processes[plan.length];
    if (next === undefined) continue;
    const kept = faultsOf(next).filter((fault) => kills(fault) && (options.keep?.(fault) ?? true));
    for (const fault of kept) await tryPlan(program, [...plan, fault], options);
  }
}

/** These faults, one for each process that is born. */
export async function sweepPlan(program: Program, plan: FaultPlan, options: SweepOptions): Promise<void> {
  await tryPlan(program, plan, options);
}

function plansOf(plain: CaseReport | undefined, { keep = () => true }: SweepOptions): FaultPlan[] {
  return (plain?.processes ?? []).flatMap((process, spared) =>
    faultsOf(process)
      .filter(keep)
      .map((fault) => [...Array.from({ length: spared }, () => undefined), fault]),
  );
}

function faultsOf({ calls, effects }: ProcessReport): Fault[] {
  return [
    ...calls.flatMap((_, index) =>
      CALL_FAULTS.map((how) => ({ point: "call", at: index + 1, how }) as const),
    ),
    ...effects.flatMap((_, index) =>
      EFFECT_FAULTS.map((how) => ({ point: "effect", at: index + 1, how }) as const),
    ),
  ];
}

function kills({ how }: Fault): boolean {
  return how === "before" || how === "after";
}

async function tryPlan(
  program: Program,
  plan: FaultPlan,
  { tally, settings = {} }: SweepOptions,
): Promise<CaseReport | undefined> {
  if (tally.isFull) return undefined;
  tally.runs += 1;
  try {
    const report = await tryCase({ program, plan, settings });
    tally.met(plan, report.met);
    for (const branch of report.branches) tally.went(branch);
    return report;
  } catch (error) {
    tally.violated(error);
    return undefined;
  }
}
