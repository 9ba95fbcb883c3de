/** A workflow of the user, crashed at every point at which it can be crashed. */
import { inspect, isDeepStrictEqual } from "node:util";
import { Client } from "../runtime/client.ts";
import type { RunReport } from "../runtime/run-report.ts";
import type { RunStatus } from "../store.ts";
import type { AnyWorkflow, Workflow } from "../definition.ts";
import { type ProcessReport, SimulationError, type SimulateOptions, simulateWith } from "./simulate.ts";
import type { BodyRecord } from "./simulation/bodies.ts";
import {
  CALL_FAULTS,
  EFFECT_FAULTS,
  type Fault,
  type FaultPlan,
  planFromText,
  planToText,
} from "./simulation/faults.ts";
import type { MemoryStore } from "./memory-store.ts";
import { Patience } from "./simulation/pending-calls.ts";
import type { Outside, WorldSetup } from "./simulation/setup.ts";
import { brokenUndos } from "./simulation/undo-check.ts";

export interface CrashTestOptions<I, W> {
  readonly input: I;
  /** Makes the world outside, anew for each try. Each call of one of its functions by the workflow is an effect. */
  readonly world?: (setup: WorldSetup) => W;
  /** What must hold of the world in the end, whatever crashed; throw what is wrong. */
  readonly invariant?: (end: CrashTestEnd<W>) => void | Promise<void>;
  /** Payloads of the signals that the outside sends once the run waits for them, by name. */
  readonly signals?: Readonly<Record<string, unknown>>;
  /** What else the outside does while the run is under way, e.g. cancel it. */
  readonly drive?: (outside: Outside<W>, runId: string) => Promise<void>;
  /** What a person does about a run that is stuck, such as resolve a step that is in doubt. Default: a stuck run is a failure. */
  readonly mend?: (outside: Outside<W>, runId: string) => Promise<void>;
  /** Other workflows that it needs. */
  readonly workflows?: (world: W) => readonly AnyWorkflow[];
  /** Pairs of crashes are tried when there are at most so many points; default 12. 0: never. */
  readonly pairPointsMax?: number;
  /** `false`: the result may differ from that without crashes. */
  readonly sameResult?: boolean;
  /** `false`: it may also end otherwise, e.g. completed instead of canceled, where what is in `drive` races with it. */
  readonly sameEnd?: boolean;
  /** One crash list to try alone, as a failure names it. Default: the environment's `EVERSTEP_CRASH`. */
  readonly only?: string;
}

export interface CrashTestEnd<W> {
  readonly world: W;
  readonly status: RunStatus;
  readonly result: unknown;
  readonly error: Error | undefined;
  readonly run: RunReport;
  /** It, and all runs that it has led to: children, those that it started, those of its events; by id. */
  readonly runs: readonly RunReport[];
  /** Every body that began, in order. */
  readonly bodies: readonly BodyRecord[];
}

export interface CrashTestReport {
  /** How often the workflow was run. */
  readonly tries: number;
  /** Faults that hit it: deaths, lost answers, freezes. */
  readonly faults: Readonly<Record<string, number>>;
  /** Where it can be hit when nothing is: calls of the store that write or claim, and effects. */
  readonly points: { readonly calls: number; readonly effects: number };
}

/** The workflow did not survive: `crashes` is the shortest list of crashes that shows it. */
export class CrashTestError extends Error {
  readonly crashes: string;

  constructor(message: string, crashes: string, cause: unknown) {
    super(message, { cause });
    this.name = "CrashTestError";
    this.crashes = crashes;
  }
}

const RUN_ID = "run-1";
const PAIR_POINTS_MAX = 12;
const TRACE_TAIL = 30;
/** Each second in which a process waits has calls to be crashed, which find nothing after the first ones. */
const REST_MS = 10_000;

const UNSTEADY =
  "Something is drawn anew in each try, such as by Math.random(), waits for real time, or is left over from the one before.";
const OWN_WORLD = "State belongs into `world`, which is made for each.";

const MEANING: Readonly<Record<Fault["how"], string>> = {
  before: "the process dies before it",
  after: "the process dies after it, and nobody hears of it",
  lost: "it is done, and its answer is lost",
  refused: "it is not done, and nobody knows",
  frozen: "the process is frozen for longer than its lease while the answer is under way",
  late: "the process is frozen for longer than its lease while the call is under way",
};

/** One run of it. */
interface Try<W> {
  readonly end: CrashTestEnd<W>;
  readonly processes: readonly ProcessReport[];
}

/**
 * Runs the workflow once without faults and counts every durable write and every effect; then again for each of them, with a crash
 * before and after it, a lost answer, or a process that is frozen beyond its lease; recovers each time, and checks: it ends as without
 * faults, with the same result; no completed step ran again; what was to be undone was undone; and your `invariant`. Small workflows are crashed
 * twice as well, at every pair of points.
 *
 * Give a function of the world when the workflow uses one: `crashTest((bank) => orderWith(bank), { input, world: () => new Bank() })`.
 * Without a world, each body of a step is an effect.
 *
 * Throws `CrashTestError` with the shortest list of crashes that breaks it and the line that repeats it. Bodies run in real time, the rest in
 * virtual time: sleeps and retries take none.
 */
export async function crashTest<I, O, W = undefined>(
  workflow: Workflow<I, O> | ((world: W) => Workflow<I, O>),
  options: CrashTestOptions<I, W>,
): Promise<CrashTestReport> {
  const test = new CrashTest<I, O, W>(workflow, options);
  const only = options.only ?? process.env["EVERSTEP_CRASH"] ?? "";
  await (only === "" ? test.everything() : test.alone(planFromText(only)));
  return test.report;
}

class CrashTest<I, O, W> {
  readonly #workflowOf: (world: W) => Workflow<I, O>;
  readonly #options: CrashTestOptions<I, W>;
  readonly #faults: Record<string, number> = {};
  readonly #patience = new Patience({ isForBodies: true });
  #tries = 0;
  #plain: Try<W> | undefined;

  constructor(workflow: Workflow<I, O> | ((world: W) => Workflow<I, O>), options: CrashTestOptions<I, W>) {
    this.#workflowOf = typeof workflow === "function" ? workflow : () => workflow;
    this.#options = options;
  }

  get report(): CrashTestReport {
    const points = { calls: 0, effects: 0 };
    for (const { calls, effects } of this.#plain?.processes ?? []) {
      points.calls += calls.length;
      points.effects += effects.length;
    }
    return { tries: this.#tries, faults: this.#faults, points };
  }

  async everything(): Promise<void> {
    const plain = await this.#withoutFaults();
    const singles = plain.processes.flatMap((process, index) =>
      faultsOf(process).map((fault) => after(index, fault)),
    );
    for (const plan of singles) await this.#try(plan);
    const { calls, effects } = this.report.points;
    if (calls + effects > (this.#options.pairPointsMax ?? PAIR_POINTS_MAX)) return;
    for (const plan of singles.filter((plan) => isDeath(plan.at(-1)))) await this.#twice(plan);
  }

  async alone(plan: FaultPlan): Promise<void> {
    await this.#withoutFaults();
    await this.#try(plan);
  }

  /** Each death of the process that goes on after that death. */
  async #twice(plan: FaultPlan): Promise<void> {
    const { processes } = await this.#try(plan);
    const next = processes[plan.length];
    if (next === undefined) return;
    for (const fault of faultsOf(next).filter(isDeath)) await this.#try([...plan, fault]);
  }

  async #withoutFaults(): Promise<Try<W>> {
    try {
      this.#plain = await this.#once([]);
      return this.#plain;
    } catch (error) {
      throw new CrashTestError(`without any crash: ${wordsOf(error)}`, planToText([]), error);
    }
  }

  async #try(plan: FaultPlan): Promise<Try<W>> {
    try {
      const tried = await this.#once(plan);
      this.#compare(tried);
      for (const [index, fault] of plan.entries())
        if (fault !== undefined && isMet(fault, tried.processes[index])) this.#count(fault);
      return tried;
    } catch (error) {
      const crashes = planToText(plan);
      const where = plan.flatMap((fault, index) =>
        fault === undefined ? [] : [this.#explain(index, fault)],
      );
      const text = [
        `${this.#name} does not survive ${crashes}: ${wordsOf(error)}`,
        ...where.map((line) => `  ${line}`),
        ...(await this.#repeated(plan)),
        ...traceOf(error),
      ].join("\n");
      throw new CrashTestError(text, crashes, error);
    }
  }

  /** How to see it again. What fails without any crash is no crash's fault, and what then survives is no matter of crashes alone. */
  async #repeated(plan: FaultPlan): Promise<readonly string[]> {
    const plain = await this.#failureOf([]);
    if (plain !== undefined)
      return [`No crash is needed: tried once more without any, ${plain}.`, `${UNSTEADY} ${OWN_WORLD}`];
    const crashes = planToText(plan);
    if ((await this.#failureOf(plan)) === undefined)
      return [`EVERSTEP_CRASH="${crashes}" may repeat it, but tried once more it survived.`, UNSTEADY];
    return [`EVERSTEP_CRASH="${crashes}" repeats it alone.`];
  }

  async #failureOf(plan: FaultPlan): Promise<string | undefined> {
    try {
      this.#compare(await this.#once(plan));
      return undefined;
    } catch (error) {
      return wordsOf(error);
    }
  }

  async #once(plan: FaultPlan): Promise<Try<W>> {
    this.#tries += 1;
    const { input, world, signals = {}, drive, mend, invariant, workflows } = this.#options;
    let store: MemoryStore | undefined;
    const report = await simulateWith<W>(
      { patience: this.#patience, restMs: REST_MS },
      (own) => [this.#workflowOf(own), ...(workflows?.(own) ?? [])],
      {
        ...(world === undefined ? {} : { world }),
        signals,
        ...(mend === undefined ? {} : { mend }),
        faults: plan,
        workers: 1,
        seed: "crash test",
        drive: async (outside) => {
          ({ store } = outside);
          await outside.start(this.#workflowOf(outside.world), input, { id: RUN_ID });
          await drive?.(outside, RUN_ID);
        },
      } satisfies SimulateOptions<W>,
    );
    if (store === undefined) throw new Error("the simulation did not begin");
    const client = new Client({ store });
    const runs = await Promise.all(report.runs.map(({ id }) => client.runs.read(id)));
    const run = await client.runs.read(RUN_ID);
    const { world: ownWorld, bodies, processes } = report;
    const { status, result, error } = run;
    const end = { world: ownWorld, status, result, error, run, runs, bodies };
    const [broken] = runs.flatMap((one) => brokenUndos(one, bodies));
    if (broken !== undefined) throw new Error(broken);
    await invariant?.(end);
    return { end, processes };
  }

  /** Ends as without faults. */
  #compare({ end }: Try<W>): void {
    const plain = this.#plain?.end;
    if (plain === undefined || this.#options.sameEnd === false) return;
    if (end.status !== plain.status)
      throw new Error(
        `it ended ${end.status}${reasonOf(end.error)} instead of ${plain.status}${reasonOf(plain.error)}`,
      );
    if (this.#options.sameResult === false) return;
    if (!isDeepStrictEqual(end.result, plain.result))
      throw new Error(`its result is ${inspect(end.result)} instead of ${inspect(plain.result)}`);
    if (reasonOf(end.error) !== reasonOf(plain.error))
      throw new Error(`it failed${reasonOf(end.error)} instead of${reasonOf(plain.error)}`);
  }

  get #name(): string {
    return `workflow ${this.#plain?.end.run.workflow ?? ""}`;
  }

  /** What a fault hits, when it is the first one. */
  #explain(index: number, fault: Fault): string {
    const { point, at, how } = fault;
    const process = this.#plain?.processes[index];
    const what = (point === "call" ? process?.calls : process?.effects)?.[at - 1];
    return `${point} ${at} of process ${index + 1}${what === undefined ? "" : ` is ${what}`}: ${MEANING[how]}`;
  }

  #count({ point, how }: Fault): void {
    const kind = `${point} ${how}`;
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
  }
}

/** Every single fault that a process can meet which makes these calls and effects. */
function faultsOf({ calls, effects }: ProcessReport): Fault[] {
  return [
    ...effects.flatMap((_, index) =>
      EFFECT_FAULTS.map((how) => ({ point: "effect", at: index + 1, how }) as const),
    ),
    ...calls.flatMap((_, index) =>
      CALL_FAULTS.map((how) => ({ point: "call", at: index + 1, how }) as const),
    ),
  ];
}

/** So many processes are spared before. */
function after(spared: number, fault: Fault): FaultPlan {
  return [...Array.from({ length: spared }, () => undefined), fault];
}

/** The process came so far; a call that is late may never reach the store. */
function isMet({ point, at, how }: Fault, process: ProcessReport | undefined): boolean {
  const reached = (point === "call" ? process?.calls : process?.effects)?.length ?? 0;
  return reached >= (how === "late" ? at - 1 : at);
}

function isDeath(fault: Fault | undefined): boolean {
  return fault?.how === "before" || fault?.how === "after";
}

function reasonOf(error: Error | undefined): string {
  return error === undefined ? "" : ` with ${error.name}: ${error.message}`;
}

function wordsOf(error: unknown): string {
  const cause = error instanceof SimulationError ? error.cause : error;
  if (cause instanceof Error) return cause.message;
  return typeof cause === "string" ? cause : inspect(cause);
}

/** What happened last, where something had to stop it. */
function traceOf(error: unknown): readonly string[] {
  return error instanceof SimulationError ? error.trace.slice(-TRACE_TAIL).map((line) => `  ${line}`) : [];
}
