/** How large the campaigns are: as a change has to pass them, and for a release. */
import type { Sizes } from "./simulated/parts.ts";

export interface Form {
  readonly name: "short" | "long";
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
  simulated: {
    exhaustive: 2,
    sampled: { statements: 4, oneIn: 150, faultsOneIn: 4 },
    pairs: { statements: 1, pointsMax: 40, oneIn: 2 },
    drawn: 200,
    series: 50_000,
    simulations: 3000,
  },
  differential: { programs: 60, crashes: 5 },
  chaos: { sqlite: { kills: 300, runs: 0 }, postgres: { kills: 300, runs: 5000 } },
};

/** Every program of up to four statements meets every single fault; more than a million simulated crashes, 5,000 real kills on each store. */
export const LONG: Form = {
  name: "long",
  simulated: {
    exhaustive: 4,
    sampled: { statements: 0, oneIn: 1, faultsOneIn: 1 },
    pairs: { statements: 2, pointsMax: 40, oneIn: 4 },
    drawn: 2000,
    series: 250_000,
    simulations: 50_000,
  },
  differential: { programs: 300, crashes: 20 },
  chaos: { sqlite: { kills: 5000, runs: 0 }, postgres: { kills: 5000, runs: 60_000 } },
};

/** `EVERSTEP_SEED` repeats a campaign; by default a seed is drawn, and named by every failure. */
export const SEED: string = process.env["EVERSTEP_SEED"] ?? String(Math.floor(Math.random() * 2 ** 31));
