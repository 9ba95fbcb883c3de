/** A program, hit at every point at which it can be. */
import type { Fault, FaultPlan, ProcessReport } from "@everstep/core/testing";
import type { Program } from "../programs/program.ts";
import { type CaseReport, type Settings, tryCase } from "./case.ts";
import type { Random } from "../random.ts";
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

/** Crash after crash: a fault drawn for each process that is born. */
export async function sweepSeries(program: Program, random: Random, options: SweepOptions): Promise<void> {
  options.tally.programs += 1;
  await tryPlan(program, drawPlan(random), options);
}

const SERIES_MAX = 7;
const CALLS_MAX = 9;
const EFFECTS_MAX = 3;
/** Mostly deaths: a process that survives its fault meets no other. */
const SURVIVED = 0.2;
const SURVIVED_HOWS = ["lost", "refused", "frozen", "late"] as const;

function drawPlan(random: Random): FaultPlan {
  return Array.from({ length: random.between(1, SERIES_MAX) }, (): Fault => {
    if (random.chance(0.3))
      return { point: "effect", at: random.between(1, EFFECTS_MAX), how: random.pick(EFFECT_FAULTS) };
    const how = random.chance(SURVIVED) ? random.pick(SURVIVED_HOWS) : random.pick(EFFECT_FAULTS);
    return { point: "call", at: random.between(1, CALLS_MAX), how };
  });
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
    return report;
  } catch (error) {
    tally.violated(error);
    return undefined;
  }
}
