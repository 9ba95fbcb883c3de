/** Several programs at once in one simulation: three workers, and everything breaks as the seed draws it. */
import { simulate, SimulationError } from "@everstep/core/testing";
import { DEFINITION, interpreters } from "../programs/interpreter.ts";
import { judgeMended } from "../programs/judge-repaired.ts";
import { formatProgram } from "../programs/line.ts";
import type { Program } from "../programs/program.ts";
import { branchesOf } from "./branches.ts";
import { meddle } from "./persons.ts";
import { type Effects, ProgramWorld } from "./program-world.ts";
import { Random } from "../random.ts";
import { samplePrograms } from "./drawn.ts";

const PROGRAMS_MAX = 4;
const START_MAX_MS = 1500;
/** Of the runs, so many are canceled by somebody, mostly soon. */
const CANCELED = 0.2;
const CANCEL_MAX_MS = 10_000;

export interface Simulated {
  readonly programs: readonly Program[];
  readonly traceHash: string;
  readonly faults: Readonly<Record<string, number>>;
  readonly branches: readonly string[];
}

/** What the seed of a simulation ends with in which persons pause runs and have them go back. */
export const PERSONS = "with persons";

/** Rejects with the seed that repeats it when anything is wrong. */
export async function trySimulation(seed: string): Promise<Simulated> {
  const random = new Random(seed);
  const programs = samplePrograms(random.between(1, PROGRAMS_MAX), seed);
  let world: ProgramWorld | undefined;
  try {
    const { runs, faults, traceHash } = await simulate<Effects>(
      (effects, process) => (world === undefined ? [] : interpreters(world.outsideOf(effects, process))),
      {
        world: (setup) => {
          world = new ProgramWorld(setup, { prompt: false });
          return world.effects;
        },
        drive: async (outside) => {
          world?.meets(outside);
          const start = async (program: Program, index: number): Promise<void> => {
            await outside.sleep(START_MAX_MS * outside.random());
            await outside.start(DEFINITION, program, { id: `run-${index}` });
            if (seed.endsWith(PERSONS)) return meddle(outside, program, `run-${index}`);
            if (outside.random() > CANCELED) return;
            await outside.sleep(CANCEL_MAX_MS * outside.random() ** 3);
            await world?.cancel(`run-${index}`);
          };
          await Promise.all(programs.map(start));
        },
        seed,
        concurrency: random.pick([1, 2, 100]),
        hints: random.chance(0.8),
      },
    );
    const jumped = "clock jump" in faults;
    const rows = await world?.rows();
    const branches: string[] = [];
    const families = programs.map((program, index) => ({
      id: `run-${index}`,
      program,
      evidence: world?.evidenceOf(`run-${index}`, runs, { faulty: true, jumped, rows }),
    }));
    const findings = families.flatMap(({ id, program, evidence }) => {
      if (evidence === undefined) return [`I1 ${id} is not there`];
      branches.push(...branchesOf(evidence));
      return judgeMended(program, evidence).map((finding) => `${id}: ${finding}`);
    });
    const known = families.reduce((sum, { evidence }) => sum + 1 + (evidence?.others?.length ?? 0), 0);
    if (runs.length > known) findings.push(`I2 nobody started ${runs.length - known} of the runs`);
    if (findings.length > 0) throw new Error(findings.join("; "));
    return { programs, traceHash, faults, branches };
  } catch (error) {
    const cause = error instanceof SimulationError ? error.cause : error;
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `EVERSTEP_SIMULATION='${seed}' repeats it: ${what}; programs: ${programs.map(formatProgram).join(" ")}`,
      {
        cause: error,
      },
    );
  }
}
