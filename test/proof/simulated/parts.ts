/** The parts of the simulated campaign. Each can be cut into shares that run beside each other. */
import * as fc from "fast-check";
import { programs, programsUpTo, STEPS } from "../programs/generate.ts";
import { formatProgram } from "../programs/line.ts";
import type { Program } from "../programs/program.ts";
import type { Fault } from "@everstep/core/testing";
import type { Settings } from "./case.ts";
import { Random } from "../random.ts";
import { plans } from "./drawn.ts";
import { PERSONS, trySimulation } from "./simulation.ts";
import { sweepPairs, sweepPlan, sweepSingles } from "./sweep.ts";
import { Tally, type Tried } from "./tally.ts";

export interface Share {
  readonly seed: string;
  /** This is share `index` of `shares`, from 0. */
  readonly index: number;
  readonly shares: number;
}

export interface Sizes {
  /** Every program of at most so many statements meets every single fault. */
  readonly exhaustive: number;
  /** And every program of at most so many steps, and of nothing else. */
  readonly steps: number;
  /** Of the programs of so many statements, which meet every single fault one in so many times. */
  readonly sampled: { readonly statements: number; readonly oneIn: number; readonly faultsOneIn: number };
  /** Programs that meet every pair of crashes, when they have at most so many points, and one in so many of the second. */
  readonly pairs: { readonly statements: number; readonly pointsMax: number; readonly oneIn: number };
  /** Drawn programs that meet a part of the single faults; a failing one is shrunk. */
  readonly drawn: number;
  /** Drawn programs that meet crash after crash. */
  readonly series: number;
  /** Simulations of several workers and programs. */
  readonly simulations: number;
  /** The same, where persons pause runs, and have them go back when they have ended. */
  readonly repairs: number;
}

export const PARTS = [
  "exhaustive",
  "steps",
  "sampled",
  "settings",
  "pairs",
  "drawn",
  "series",
  "simulations",
  "repairs",
] as const;
export type PartName = (typeof PARTS)[number];

type Part = (tally: Tally, share: Share, sizes: Sizes) => Promise<void>;

const PARTS_BY_NAME: Readonly<Record<PartName, Part>> = {
  exhaustive: async (tally, share, { exhaustive }) => {
    for (const program of shared(programsUpTo(exhaustive), share)) await sweepSingles(program, { tally });
  },
  steps: async (tally, share, { steps }) => {
    for (const program of shared(programsUpTo(steps, STEPS), share)) await sweepSingles(program, { tally });
  },
  sampled: async (tally, share, { sampled: { statements, oneIn, faultsOneIn } }) => {
    const random = new Random(`${share.seed} sampled`);
    for (const program of programsUpTo(statements)) {
      if (random.between(1, oneIn) === 1 && random.between(1, share.shares) === share.index + 1)
        await sweepSingles(program, { tally, keep: some(faultsOneIn, share.seed, program) });
    }
  },
  settings: async (tally, share) => {
    for (const settings of SETTINGS)
      for (const program of shared(programsUpTo(2), share))
        await sweepSingles(program, { tally, settings, keep: some(SETTINGS_ONE_IN, share.seed, program) });
  },
  pairs: async (tally, share, { pairs: { statements, pointsMax, oneIn } }) => {
    for (const program of shared(programsUpTo(statements), share))
      await sweepPairs(program, pointsMax, { tally, keep: some(oneIn, share.seed, program) });
  },
  drawn: (tally, share, { drawn }) =>
    checked(tally, share, { name: "drawn", count: drawn, drawn: programs }, (program, own) =>
      sweepSingles(program, { tally: own, keep: some(DRAWN_ONE_IN, share.seed, program) }),
    ),
  series: (tally, share, { series }) =>
    checked(
      tally,
      share,
      { name: "series", count: series, drawn: fc.tuple(programs, plans) },
      async ([program, plan], own) => {
        own.programs += 1;
        await sweepPlan(program, plan, { tally: own });
      },
    ),
  simulations: (tally, share, { simulations }) => simulated(tally, share, simulations, (seed) => seed),
  repairs: (tally, share, { repairs }) => simulated(tally, share, repairs, (seed) => `${seed} ${PERSONS}`),
};

async function simulated(
  tally: Tally,
  { seed, index, shares }: Share,
  many: number,
  seedOf: (seed: string) => string,
): Promise<void> {
  for (let no = index; no < many && !tally.isFull; no += shares) {
    tally.runs += 1;
    try {
      const { programs: tried, faults, branches } = await trySimulation(seedOf(`${seed} ${no}`));
      for (const branch of branches) tally.went(branch);
      tally.programs += tried.length;
      for (const [kind, count] of Object.entries(faults)) tally.count(kind, count);
    } catch (error) {
      tally.violated(error);
    }
  }
}

const SETTINGS: readonly Settings[] = [
  { concurrency: 1 },
  { hints: false },
  { concurrency: 1, hints: false },
];
const SETTINGS_ONE_IN = 7;
const DRAWN_ONE_IN = 4;

/** Does its share of the part. Never rejects for a violation: those are in its answer. */
export async function tryPart(part: PartName, share: Share, sizes: Sizes): Promise<Tried> {
  const tally = new Tally();
  await PARTS_BY_NAME[part](tally, share, sizes);
  return tally.tried;
}

interface Drawing<T> {
  readonly name: PartName;
  readonly count: number;
  readonly drawn: fc.Arbitrary<T>;
}

/** fast-check draws what is tried, so that what fails is made as small as it can be. */
async function checked<T>(
  tally: Tally,
  { seed, index, shares }: Share,
  { name, count, drawn }: Drawing<T>,
  attempt: (value: T, own: Tally) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(drawn, async (value) => {
    const own = new Tally();
    await attempt(value, own);
    tally.add(own.tried);
    const [violation] = own.tried.violations;
    if (violation !== undefined) throw new Error(violation);
  });
  const draw = new Random(`${seed} ${name} ${index}`).between(1, 2 ** 31 - 1);
  const { failed, errorInstance } = await fc.check(property, {
    numRuns: Math.ceil(count / shares),
    seed: draw,
  });
  if (failed) tally.violated(errorInstance);
}

function* shared(all: Iterable<Program>, { index, shares }: Share): Generator<Program> {
  let no = 0;
  for (const program of all) {
    if (no % shares === index) yield program;
    no += 1;
  }
}

/** About one fault in so many, another choice for each program. */
function some(oneIn: number, seed: string, program: Program): (fault: Fault) => boolean {
  const random = new Random(`${seed} ${formatProgram(program)}`);
  return () => random.between(1, oneIn) === 1;
}
