/** Every program with every fault: which cases there are, and running them all. */
import { prng } from "../../src/engine/prng.ts";
import { CrashLab, type Fault, type LabOptions, type LabReport } from "./crash-lab.ts";
import { PARTS, type Part, type Program, programsOf } from "./programs.ts";

/** `EVERSTEP_CRASH_PARTS=3` tries all programs of up to so many parts with every fault, and all pairs: minutes; 4: an hour. */
export const FULL_PARTS: number = Number(process.env["EVERSTEP_CRASH_PARTS"] ?? "0");
/** `EVERSTEP_CRASH_SEED` draws another sample of the longer programs. */
export const SEED: string = process.env["EVERSTEP_CRASH_SEED"] ?? "1";

const CALL_FAULTS = ["before", "after", "lost", "refused"] as const;
const EFFECT_FAULTS = ["before", "after"] as const;
const FREEZES = ["frozen", "late"] as const;
/** More failures would say nothing new. */
const FAILURES_MAX = 5;

/** Every single fault that a process can meet which makes so many calls and effects. */
function faultsOf({ calls, effects }: LabReport["processes"][number]): Fault[] {
  return [
    ...ats(calls).flatMap((at) => CALL_FAULTS.map((how) => ({ point: "call", at, how }) as const)),
    ...ats(effects).flatMap((at) => EFFECT_FAULTS.map((how) => ({ point: "effect", at, how }) as const)),
  ];
}

/** Every call at which a process can be stopped for longer than its lease, to go on later. */
export function freezesOf({ calls }: LabReport["processes"][number]): Fault[] {
  return ats(calls).flatMap((at) => FREEZES.map((how) => ({ point: "call", at, how }) as const));
}

const ats = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

export interface Sweep {
  readonly programs: number;
  readonly runs: number;
  /** Runs in which a fault was met, by kind: `call before` … */
  readonly met: Readonly<Record<string, number>>;
}

export class Sweeper {
  readonly #options: LabOptions;
  readonly #failures: string[] = [];
  readonly #met: Record<string, number> = {};
  #programs = 0;
  #runs = 0;

  constructor(options: LabOptions = {}) {
    this.#options = options;
  }

  /** Each fault alone; of the faults, `keep` may choose some. */
  async singles(
    program: Program,
    keep: (fault: Fault) => boolean = () => true,
    all: typeof faultsOf = faultsOf,
  ): Promise<void> {
    this.#programs += 1;
    const plain = await this.#try(program, []);
    for (const fault of plain === undefined ? [] : all(first(plain)).filter(keep)) {
      await this.#try(program, [fault]);
    }
  }

  /** These faults, one for each process that is born. */
  async faults(program: Program, faults: readonly Fault[]): Promise<void> {
    this.#programs += 1;
    await this.#try(program, faults);
  }

  /** Each crash, and then crashes of the process that recovers from it, of which `keep` may choose some. */
  async pairs(program: Program, pointsMax: number, keep: (fault: Fault) => boolean): Promise<void> {
    const plain = await this.#try(program, []);
    if (plain === undefined) return;
    const { calls, effects } = first(plain);
    if (calls + effects > pointsMax) return;
    this.#programs += 1;
    for (const fault of faultsOf(first(plain)).filter(kills)) {
      const once = await this.#try(program, [fault]);
      const second = once?.processes[1];
      if (second === undefined) continue;
      for (const next of faultsOf(second).filter(kills).filter(keep)) await this.#try(program, [fault, next]);
    }
  }

  /** Throws when anything failed, with one line for each case. */
  done(): Sweep {
    if (this.#failures.length > 0) throw new Error(this.#failures.join("\n\n"));
    return { programs: this.#programs, runs: this.#runs, met: this.#met };
  }

  async #try(program: Program, faults: readonly Fault[]): Promise<LabReport | undefined> {
    if (this.#failures.length >= FAILURES_MAX) return undefined;
    this.#runs += 1;
    try {
      const report = await new CrashLab(program, faults, this.#options).run();
      for (const [index, { point, how }] of faults.entries()) {
        const kind = `${point} ${how}`;
        if (report.met[index] === true) this.#met[kind] = (this.#met[kind] ?? 0) + 1;
      }
      return report;
    } catch (error) {
      this.#failures.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
}

const kills = ({ how }: Fault): boolean => how === "before" || how === "after";

function first(report: LabReport): LabReport["processes"][number] {
  return report.processes[0] ?? { calls: 0, effects: 0 };
}

/** All programs of up to so many parts, but the empty one. */
export function programsUpTo(parts: number): Program[] {
  return ats(parts).flatMap(programsOf);
}

/** So many programs of that length, drawn by the seed. */
export function sampleOf(length: number, count: number, seed: string): Program[] {
  const random = prng(`${seed} ${length}`);
  const draw = (isLast: boolean): Part => {
    const part = PARTS[Math.floor(random.next() * PARTS.length)] ?? "ok";
    return part === "fatal" && !isLast ? "undo" : part;
  };
  return ats(count).map(() => ats(length).map((at) => draw(at === length)));
}

/** About one fault in `every`, another choice for each program. */
export function oneIn(every: number, program: Program): (fault: Fault) => boolean {
  const random = prng(`${SEED} ${program.join()}`);
  return () => random.next() * every < 1;
}

/** What a suite says of itself. */
export function report(name: string, { programs, runs, met }: Sweep): string {
  const kinds = Object.entries(met).map(([kind, count]) => `${count} ${kind}`);
  const faults = Object.values(met).reduce((sum, count) => sum + count, 0);
  return `${name}: ${programs} programs, ${runs} runs, ${faults} faults met (${kinds.join(", ")})`;
}
