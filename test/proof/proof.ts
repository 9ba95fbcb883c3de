/** What a run of the proof has shown. */
import type { Summary } from "./chaos/summary.ts";
import type { Differential } from "./differential/differential.ts";
import type { Verdict } from "./mutants/hunt.ts";
import type { PartName } from "./simulated/parts.ts";
import type { Tried } from "./simulated/tally.ts";
import type { Form } from "./sizes.ts";

export interface Timed {
  readonly seconds: number;
  /** Of the sources that were tried. */
  readonly commit: string;
  /** What it was drawn from. */
  readonly seed: string;
}

export interface ChaosProof extends Timed {
  readonly summary: Summary;
  /** Bodies that a frozen process began when it woke up: the exemption of P2. */
  readonly zombies: number;
  readonly violations: readonly string[];
}

export interface Proof {
  readonly form: Form["name"];
  readonly at: string;
  readonly machine: string;
  readonly simulated?: Readonly<Partial<Record<PartName, Tried & Timed>>>;
  readonly differential?: Differential & Timed;
  readonly sqlite?: ChaosProof;
  readonly postgres?: ChaosProof;
  readonly mutants?: Timed & { readonly verdicts: readonly Verdict[] };
}

export function violationsIn({ simulated = {}, differential, sqlite, postgres, mutants }: Proof): string[] {
  return [
    ...Object.values(simulated).flatMap(({ violations }) => violations),
    ...(differential?.violations ?? []),
    ...(sqlite?.violations ?? []),
    ...(postgres?.violations ?? []),
    ...(mutants?.verdicts ?? [])
      .filter(({ killed }) => !killed)
      .map(({ does, problem }) => `an engine that ${does} was not caught: ${problem ?? ""}`),
  ];
}
