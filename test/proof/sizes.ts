/** How large the campaigns are: while one works, as a change has to pass them, and for a release. */
import { spawnSync } from "node:child_process";
import type { Sizes } from "./simulated/parts.ts";

export interface Form {
  readonly name: "quick" | "short" | "long";
  /** Simulated crashes, at least. */
  readonly crashes: number;
  readonly simulated: Sizes;
  readonly differential: { readonly programs: number; readonly crashes: number };
  /** Real processes: SIGKILLs on each store, and runs that are accepted meanwhile at least. */
  readonly chaos: {
    readonly sqlite: { readonly kills: number; readonly runs: number };
    readonly postgres: { readonly kills: number; readonly runs: number };
  };
}

/** At least 100,000 simulated crashes and 300 real kills on each store. */
export const SHORT: Form = {
  name: "short",
  crashes: 100_000,
  simulated: {
    exhaustive: 2,
    steps: 3,
    sampled: { statements: 4, oneIn: 1000, faultsOneIn: 4 },
    pairs: { statements: 1, pointsMax: 40, oneIn: 2 },
    drawn: 200,
    series: 20_000,
    simulations: 3000,
    repairs: 4000,
  },
  differential: { programs: 60, crashes: 5 },
  chaos: { sqlite: { kills: 300, runs: 1500 }, postgres: { kills: 300, runs: 2000 } },
};

/**
 * More than a million simulated crashes and 5,000 real kills on each store: every program of up to three statements, or of four steps, meets
 * every single fault, one in forty of those of four statements a third of them.
 */
export const LONG: Form = {
  name: "long",
  crashes: 1_000_000,
  simulated: {
    exhaustive: 3,
    steps: 4,
    sampled: { statements: 4, oneIn: 40, faultsOneIn: 3 },
    pairs: { statements: 2, pointsMax: 40, oneIn: 4 },
    drawn: 1000,
    series: 160_000,
    simulations: 20_000,
    repairs: 20_000,
  },
  differential: { programs: 120, crashes: 6 },
  chaos: { sqlite: { kills: 5000, runs: 25_000 }, postgres: { kills: 5000, runs: 10_000 } },
};

/** What `npm test` runs elsewhere than in CI: as much of the simulations as fits in half a minute. */
const QUICK: Form = {
  ...SHORT,
  name: "quick",
  crashes: 15_000,
  simulated: {
    ...SHORT.simulated,
    sampled: { statements: 4, oneIn: 3000, faultsOneIn: 4 },
    drawn: 60,
    series: 5000,
    simulations: 1000,
    repairs: 500,
  },
};

const CI = process.env["CI"] !== undefined;

/** What the tests run. */
export const TESTED: Form = CI ? SHORT : QUICK;

/**
 * What a campaign draws with; every failure names it, and `EVERSTEP_SEED` repeats it. In CI the commit is its seed: each change meets programs
 * and plans of its own, and meets them again when it is tried again.
 */
export const SEED = Number(process.env["EVERSTEP_SEED"] ?? (CI ? seedOfCommit() : undefined) ?? drawnSeed());

function seedOfCommit(): number | undefined {
  const { stdout } = spawnSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" });
  const digits = /^[0-9a-f]{7}/.exec(stdout ?? "")?.[0];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

function drawnSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
