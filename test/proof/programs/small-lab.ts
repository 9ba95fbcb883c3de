/** Runs one program in virtual time over a memory store, with crashes at chosen calls, and gathers the evidence. */
import { Client, RunEndedError, type StepContext, Worker } from "@everstep/core";
import {
  crashStore,
  type CrashPlan,
  type CrashStore,
  type MemoryStore,
  memoryStore,
  type MemoryTx,
  type ProcessClock,
  processClock,
  type RunDump,
  type VirtualClock,
  virtualClock,
} from "@everstep/core/testing";
import type { Evidence, Execution, Watched } from "./evidence.ts";
import { familyOf, isCanceledByParent } from "./family.ts";
import { DEFINITION, interpreters } from "./interpreter.ts";
import type { Doing, Outside } from "./outside.ts";
import { isUnsent, type Program } from "./program.ts";
import { memoryTable, type Table } from "./table.ts";

const RUN = "run-1";
const PATIENCE_MS = 3_600_000;
/** Signals are looked after at least this often. */
const STRIDE_MS = 1000;

/** One after the other: what each process dies of; the last one lives. */
export type Deaths = readonly { readonly at: number; readonly when: "before" | "after" }[];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Never rejects because of the run: a run that does not end is evidence as well. */
export async function evidenceOf(program: Program, deaths: Deaths = []): Promise<Evidence> {
  const lab = new SmallLab(program, deaths);
  await lab.run();
  return lab.evidence();
}

interface Process {
  readonly store: CrashStore<MemoryTx>;
  readonly clock: ProcessClock;
}

/** What is known of one run. */
interface Known {
  readonly executions: Execution[];
  readonly passes: (Watched & { readonly lines: string[] })[];
  readonly sent: string[];
  canceled: boolean;
}

class SmallLab {
  readonly #program: Program;
  readonly #deaths: Deaths;
  readonly #clock: VirtualClock = virtualClock();
  readonly #store: MemoryStore = memoryStore({ clock: this.#clock });
  readonly #table: Table = memoryTable(this.#store);
  readonly #known = new Map<string, Known>();
  readonly #byToken = new Map<string, Mutable<Execution>>();
  readonly #failed = new Set<string>();
  /** When which signal is to be sent to which run. */
  readonly #wanted = new Map<string, { readonly run: string; readonly key: string; dueAt: number }>();
  #births = 0;

  constructor(program: Program, deaths: Deaths) {
    this.#program = program;
    this.#deaths = deaths;
  }

  async evidence(): Promise<Evidence> {
    const rows = await this.#table.tokens();
    const evidence = familyOf(RUN, this.#store.dump().runs, (run) => this.#evidenceOf(run, rows));
    if (evidence === undefined) throw new Error("the run was never started");
    return evidence;
  }

  #evidenceOf(run: RunDump, rows: readonly string[]): Evidence {
    const { executions, passes, sent, canceled } = this.#knownOf(run.id);
    return {
      run,
      executions,
      passes,
      sent,
      canceled: canceled || isCanceledByParent(run),
      faulty: this.#births > 1,
      rows: rows.filter((row) => executions.some(({ token }) => token === row)),
    };
  }

  #knownOf(run: string): Known {
    const known = this.#known.get(run) ?? { executions: [], passes: [], sent: [], canceled: false };
    this.#known.set(run, known);
    return known;
  }

  async run(): Promise<void> {
    let process = this.#birth();
    for (;;) {
      const { runs } = this.#store.dump();
      if (runs.length > 0 && runs.every(({ end, stuck }) => (end ?? stuck) !== null)) return;
      if (this.#clock.monotonic() > PATIENCE_MS) return;
      if (process.store.dead) process = this.#birth();
      await this.#clock.advance(Math.min(this.#clock.nextMs ?? STRIDE_MS, STRIDE_MS));
      await this.#answerSignals();
    }
  }

  #dump(id: string): RunDump | undefined {
    return this.#store.dump().runs.find((run) => run.id === id);
  }

  #durable(run: string): number {
    return this.#dump(run)?.journal.length ?? 0;
  }

  #birth(): Process {
    const clock = processClock(this.#clock);
    const death: CrashPlan = this.#deaths[this.#births] ?? { at: 0, when: "before" };
    this.#births += 1;
    const store = crashStore(this.#store, { ...death, onCrash: () => clock.kill() });
    const process = { store, clock };
    const workflows = interpreters(this.#outsideOf(process));
    const worker = new Worker({ store, clock, workflows, lease: "2s", logger: silent });
    const start = async (): Promise<void> => {
      await worker.start();
      await new Client({ store, clock }).start(DEFINITION, this.#program, { id: RUN });
    };
    start().catch(() => {}); // a run that never starts is found to be missing
    return process;
  }

  #outsideOf({ store, clock }: Process): Outside {
    return {
      beginPass: (run) => {
        const { passes } = this.#knownOf(run);
        return passes.push({ pass: passes.length + 1, durable: this.#durable(run), lines: [] });
      },
      observe: (run, pass, line) => {
        if (store.dead) return;
        this.#knownOf(run).passes[pass - 1]?.lines.push(line);
        const wanted = /^ask signal (\S+)$/.exec(line)?.[1];
        if (wanted !== undefined) this.#want(run, wanted);
      },
      perform: (step, doing) => (store.dead ? never() : this.#later(clock, this.#begin(step, doing))),
      performNow: (step, doing) => this.#begin(step, doing),
      write: (tx, doing, how) => {
        if (store.dead) return never();
        const token = this.#begin(undefined, doing);
        const inserted = this.#table.insert(tx, token);
        return how === "at once" ? token : Promise.resolve(inserted).then(() => this.#later(clock, token));
      },
      ended: (token, how) => {
        const execution = this.#byToken.get(token);
        if (execution !== undefined && !store.dead) execution.ended = how;
      },
      find: (key) =>
        [...this.#byToken.values()].find((one) => one.kind === "step" && one.idempotencyKey === key)?.token,
      failsNow: (run, key) => {
        const place = `${run} ${key}`;
        if (this.#failed.has(place)) return false;
        this.#failed.add(place);
        return true;
      },
      cancel: (run) => this.#cancel(run),
    };
  }

  /** Answers with its token. */
  #begin(step: StepContext | undefined, { run: id, ...doing }: Doing): string {
    const token = `t${this.#byToken.size}`;
    const idempotencyKey = step?.idempotencyKey ?? "";
    const attempt = step?.attempt ?? 0;
    const run = this.#dump(id);
    const row = doing.kind === "undo" ? `${doing.key}#undo` : doing.key;
    const stored = run?.retries.find(({ key }) => key === row)?.failures ?? 0;
    const durable = run?.journal.length ?? 0;
    const execution = { ...doing, idempotencyKey, attempt, token, durable, stored };
    this.#knownOf(id).executions.push(execution);
    this.#byToken.set(token, execution);
    return token;
  }

  /** Some effects take their time, so that bodies end in another order than they began. */
  #later(clock: ProcessClock, token: string): Promise<string> {
    const ms = oneOf([0, 0, 3, 40], this.#byToken.size);
    return ms === 0
      ? Promise.resolve(token)
      : new Promise((resolve) => clock.after(ms, () => resolve(token)));
  }

  async #cancel(run: string): Promise<void> {
    this.#knownOf(run).canceled = true;
    await new Client({ store: this.#store, clock: this.#clock }).get(run).cancel().catch(refused);
  }

  #want(run: string, key: string): void {
    const place = `${run} ${key}`;
    if (isUnsent(key) || this.#wanted.has(place)) return;
    this.#wanted.set(place, { run, key, dueAt: this.#clock.monotonic() + oneOf([0, 150, 2500], key.length) });
  }

  /** What the code waits for is sent once; it may have given up meanwhile. */
  async #answerSignals(): Promise<void> {
    for (const wanted of this.#wanted.values()) {
      const { run, key, dueAt } = wanted;
      if (dueAt > this.#clock.monotonic()) continue;
      wanted.dueAt = Number.POSITIVE_INFINITY;
      const client = new Client({ store: this.#store, clock: this.#clock });
      const sent = client
        .get(run)
        .signal(key.replace(/#\d+$/, ""), key, { id: key })
        .then(() => void this.#knownOf(run).sent.push(key), refused);
      await this.#clock.advance(0);
      await sent;
    }
  }
}

const never = (): Promise<never> => new Promise(() => {});

function oneOf(choices: readonly number[], number: number): number {
  return choices[number % choices.length] ?? 0;
}

function refused(error: unknown): void {
  if (!(error instanceof RunEndedError)) throw error;
}

const ignore = (): void => {};
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
