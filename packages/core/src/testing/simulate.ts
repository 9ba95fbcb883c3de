/** Runs workflows in a small world that is drawn by a seed, where everything that can break does. */
import type { Duration, Logger } from "../context.ts";
import { durationMs } from "../engine/duration.ts";
import { prng } from "../engine/prng.ts";
import type { AnyWorkflow } from "../definition.ts";
import type { RunDump } from "./memory/dump.ts";
import type { BodyRecord } from "./simulation/bodies.ts";
import { type FaultPlan, planToText } from "./simulation/faults.ts";
import { type FaultRates, NO_FAULTS, plannedNemesis, RandomNemesis } from "./simulation/nemesis.ts";
import { Patience } from "./simulation/pending-calls.ts";
import type { ProcessView } from "./simulation/process.ts";
import type { Outside, SimulationSetup, WorldSetup } from "./simulation/setup.ts";
import { Simulation } from "./simulation/simulation.ts";

export interface SimulateOptions<W> {
  /** What happens: starts runs, sends signals, cancels. The simulation is over when it has settled and every run has ended. */
  readonly drive: (outside: Outside<W>) => Promise<void>;
  /** Makes the world outside. Each call of one of its functions by a workflow is an effect; without a world, each body is. */
  readonly world?: (setup: WorldSetup) => W;
  /** The same seed gives the same simulation, down to the trace. Default: drawn, and named by a failure. */
  readonly seed?: string | number;
  /** Processes with a worker each; default 3. */
  readonly workers?: number;
  /** How often what breaks; a plan of what befalls each process in turn; or false. Default: everything, now and then. */
  readonly faults?: FaultRates | FaultPlan | false;
  /** From then on nothing breaks any more; default one minute of virtual time. */
  readonly healAfter?: Duration;
  /** After that everything has to end within so long; default three minutes of virtual time. */
  readonly patience?: Duration;
  /** Payloads of signals that are sent to each run that waits for them, by name. */
  readonly signals?: Readonly<Record<string, unknown>>;
  /** What a person does about a run that is stuck, such as resolve a step that is in doubt. Default: a stuck run is a failure. */
  readonly mend?: (outside: Outside<W>, runId: string) => Promise<void>;
  /** Of the workers; default 2 s. */
  readonly lease?: Duration;
  /** Of the workers. */
  readonly concurrency?: number;
  /** `false`: nobody is ever told that something changed. */
  readonly hints?: boolean;
  readonly logger?: Logger;
  /** `false`: no trace is kept, which is faster. */
  readonly trace?: boolean;
  /** What must hold at the end; throw what is wrong. */
  readonly invariant?: (end: SimulationReport<W>) => void | Promise<void>;
}

export interface SimulationReport<W> {
  readonly seed: string;
  /** The same for the same seed. */
  readonly traceHash: string;
  /** What happened, in order, with the virtual time in milliseconds. */
  readonly trace: readonly string[];
  readonly world: W;
  /** As they are stored, by id. */
  readonly runs: readonly RunDump[];
  /** Every body that began. */
  readonly bodies: readonly BodyRecord[];
  /** How often what broke. */
  readonly faults: Readonly<Record<string, number>>;
  /** Of each process, in the order of their births. */
  readonly processes: readonly ProcessReport[];
}

export interface ProcessReport {
  /** Calls of the store at which a fault could hit it, such as `commit(advance order-1 [step, end] then end)`. */
  readonly calls: readonly string[];
  /** Calls of the world; without one, the bodies. */
  readonly effects: readonly string[];
}

/** A simulation found something wrong, and says how to see it again. */
export class SimulationError extends Error {
  readonly seed: string;
  readonly trace: readonly string[];

  constructor(
    what: string,
    found: { readonly seed: string; readonly trace: readonly string[]; readonly cause: unknown },
  ) {
    super(what, { cause: found.cause });
    this.name = "SimulationError";
    this.seed = found.seed;
    this.trace = found.trace;
  }
}

const ignore = (): void => {};
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

const TRACE_TAIL = 40;
const REST_MS = 60_000;

/**
 * Several workers execute these workflows over one store, in virtual time, while processes die, freeze and come back, answers and
 * hints get lost, calls are late and the clock jumps, as the seed draws it. Then all heals, and every run has to end. Checked at each
 * moment: no completed step begins again, no entry is lost or written twice, only the present owner writes, undos begin after the
 * decision to undo and nothing else does; and at the end your `invariant`. Throws `SimulationError` with the seed that repeats it.
 *
 * `workflows` is called once for each process, with the world as that process reaches it.
 */
export function simulate<W = undefined>(
  workflows: (world: W, process: ProcessView) => readonly AnyWorkflow[],
  options: SimulateOptions<W>,
): Promise<SimulationReport<W>> {
  return simulateWith(
    { patience: new Patience({ isForBodies: false }), restMs: REST_MS },
    workflows,
    options,
  );
}

/** One of several simulations of the same workflows, with what the others have learned about what takes real time. */
export async function simulateWith<W>(
  { patience, restMs }: Pick<SimulationSetup<W>, "patience" | "restMs">,
  workflows: (world: W, process: ProcessView) => readonly AnyWorkflow[],
  options: SimulateOptions<W>,
): Promise<SimulationReport<W>> {
  const seed = String(options.seed ?? drawSeed());
  const leaseMs = durationMs(options.lease ?? "2s", "lease of the simulated workers");
  const { nemesis, chaos } = nemesesOf(options.faults, seed, leaseMs);
  const simulation = new Simulation<W>({
    workflows,
    nemesis,
    chaos,
    seed,
    leaseMs,
    drive: options.drive,
    world: options.world,
    signals: options.signals ?? {},
    mend: options.mend,
    workers: options.workers ?? 3,
    healAfterMs: durationMs(options.healAfter ?? "1m", "healAfter"),
    patience,
    restMs,
    patienceMs: durationMs(options.patience ?? "3m", "patience"),
    concurrency: options.concurrency,
    hints: options.hints ?? true,
    logger: options.logger ?? SILENT,
    trace: options.trace ?? true,
  });
  try {
    await simulation.run();
    const report = reportOf(simulation, seed, chaos?.counts ?? {});
    await options.invariant?.(report);
    return report;
  } catch (error) {
    throw failureOf(error, simulation, seed, options.faults);
  }
}

function nemesesOf(
  faults: FaultRates | FaultPlan | false | undefined,
  seed: string,
  leaseMs: number,
): Pick<SimulationSetup<unknown>, "nemesis" | "chaos"> {
  if (isPlan(faults)) return { nemesis: plannedNemesis(faults, 1.75 * leaseMs), chaos: undefined };
  const nemesis = new RandomNemesis(
    prng(`${seed} nemesis`),
    faults === false ? NO_FAULTS : (faults ?? {}),
    leaseMs,
  );
  return { nemesis, chaos: nemesis };
}

function isPlan(faults: FaultRates | FaultPlan | false | undefined): faults is FaultPlan {
  return Array.isArray(faults);
}

function reportOf<W>(
  simulation: Simulation<W>,
  seed: string,
  faults: Readonly<Record<string, number>>,
): SimulationReport<W> {
  const { trace, world, processes } = simulation;
  return {
    seed,
    traceHash: trace.hash,
    trace: trace.lines,
    world,
    runs: simulation.runs(),
    bodies: simulation.bodies.all,
    faults,
    processes: processes.map(({ calls, effects }) => ({ calls, effects })),
  };
}

function failureOf(
  error: unknown,
  { trace }: Pick<Simulation<unknown>, "trace">,
  seed: string,
  faults: FaultRates | FaultPlan | false | undefined,
): SimulationError {
  const what = error instanceof Error ? error.message : String(error);
  const plan = isPlan(faults) ? `, faults: ${planToText(faults)}` : "";
  const tail = trace.lines.slice(-TRACE_TAIL).map((line) => `  ${line}`);
  const text = [
    what,
    `seed: ${JSON.stringify(seed)}${plan} repeats it; the last that happened:`,
    ...tail,
  ].join("\n");
  return new SimulationError(text, { seed, trace: trace.lines, cause: error });
}

function drawSeed(): string {
  return String(Math.floor(Math.random() * 2 ** 31));
}
