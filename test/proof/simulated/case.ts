/** One case: a program, what befalls the processes that run it, and how they are set up; on one line, to be repeated. */
import {
  simulate,
  SimulationError,
  type FaultPlan,
  planFromText,
  planToText,
  type ProcessReport,
} from "@everstep/core/testing";
import { judge } from "../programs/judge.ts";
import { DEFINITION, interpreters } from "../programs/interpreter.ts";
import { formatProgram, parseProgram } from "../programs/line.ts";
import type { Program } from "../programs/program.ts";
import { branchesOf } from "./branches.ts";
import { type Effects, ProgramWorld } from "./program-world.ts";

export interface Settings {
  readonly concurrency?: number;
  readonly hints?: boolean;
}

export interface Case {
  readonly program: Program;
  readonly plan: FaultPlan;
  readonly settings: Settings;
}

export interface CaseReport {
  readonly processes: readonly ProcessReport[];
  /** Of each fault of the plan: whether it was met. */
  readonly met: readonly boolean[];
  readonly branches: ReadonlySet<string>;
}

/** A case that went wrong. */
class CaseError extends Error {
  readonly line: string;

  constructor(line: string, what: string, cause: unknown) {
    super(`EVERSTEP_CASE='${line}' repeats it: ${what}`, { cause });
    this.name = "CaseError";
    this.line = line;
  }
}

const RUN = "run-1";

export function caseToLine({ program, plan, settings }: Case): string {
  return [formatProgram(program), planToText(plan), settingsToText(settings)].join(" @ ");
}

export function caseFromLine(line: string): Case {
  const [program = "", plan = "none", settings = ""] = line.split(" @ ");
  return { program: parseProgram(program), plan: planFromText(plan), settings: settingsFromText(settings) };
}

function settingsToText({ concurrency, hints }: Settings): string {
  return [
    ...(concurrency === undefined ? [] : [`concurrency ${concurrency}`]),
    ...(hints === false ? ["no hints"] : []),
  ].join(" and ");
}

function settingsFromText(text: string): Settings {
  const concurrency = /concurrency (\d+)/.exec(text)?.[1];
  return {
    ...(concurrency === undefined ? {} : { concurrency: Number(concurrency) }),
    ...(text.includes("no hints") ? { hints: false } : {}),
  };
}

/** Rejects with `CaseError` when anything is wrong. */
export async function tryCase(one: Case): Promise<CaseReport> {
  const { program, plan, settings } = one;
  try {
    let world: ProgramWorld | undefined;
    const { runs, processes } = await simulate<Effects>(
      (effects, process) => (world === undefined ? [] : interpreters(world.outsideOf(effects, process))),
      {
        world: (setup) => {
          world = new ProgramWorld(setup, { prompt: true });
          return world.effects;
        },
        drive: async (outside) => {
          world?.meets(outside);
          await outside.start(DEFINITION, program, { id: RUN });
        },
        faults: plan,
        workers: 1,
        seed: "case",
        trace: false,
        ...settings,
      },
    );
    const rows = await world?.rows();
    const faulty = plan.some((fault) => fault !== undefined);
    const evidence = world?.evidenceOf(RUN, runs, { faulty, rows });
    if (evidence === undefined) throw new Error("I1: the run is not there");
    if (runs.length > 1 + (evidence.others?.length ?? 0))
      throw new Error("I16: nobody started a run that is there");
    const findings = judge(program, evidence);
    if (findings.length > 0) throw new Error(findings.join("; "));
    return { processes, met: metOf(plan, processes), branches: branchesOf(evidence) };
  } catch (error) {
    const cause = error instanceof SimulationError ? error.cause : error;
    throw new CaseError(caseToLine(one), cause instanceof Error ? cause.message : String(cause), error);
  }
}

function metOf(plan: FaultPlan, processes: readonly ProcessReport[]): boolean[] {
  return plan.map((fault, index) => {
    const process = processes[index];
    if (fault === undefined || process === undefined) return false;
    return (fault.point === "call" ? process.calls : process.effects).length >= fault.at;
  });
}
