/** Runs one program with faults at chosen points, and checks what a crash must never change. */
import { strict as assert } from "node:assert";
import { Client, type Clock, type StepContext, type Store, Worker } from "../../src/index.ts";
import {
  type CrashPlan,
  type CrashStore,
  crashStore,
  type MemoryStore,
  memoryStore,
  type MemoryTx,
  type ProcessClock,
  processClock,
  type RunDump,
  type VirtualClock,
  virtualClock,
} from "../../src/testing/index.ts";
import { AuditStore, RunAudit } from "./audit-store.ts";
import { Freezer } from "../../src/testing/simulation/freezer.ts";
import { expectationOf, interpreter, type Outside, type Program } from "./programs.ts";
import { replaysWithoutBodies } from "./replay-check.ts";

/** Where a process is hit: at a call of its store, or at an effect of a body. Points are counted from its birth. */
export type Fault =
  | {
      readonly point: "call";
      readonly at: number;
      readonly how: "before" | "after" | "lost" | "refused" | "frozen" | "late";
    }
  | { readonly point: "effect"; readonly at: number; readonly how: "before" | "after" };

/** `ok,undo,fatal @ call 3 after, effect 1 before`: enough to repeat it. */
export function describeCase(program: Program, faults: readonly Fault[], options: LabOptions): string {
  const hits = faults.map(({ point, at, how }) => `${point} ${at} ${how}`).join(", ");
  const how = [
    ...(options.concurrency === undefined ? [] : [`concurrency ${options.concurrency}`]),
    ...(options.hints === false ? ["no hints"] : []),
  ].join(", ");
  return `${program.join(",")} @ ${hits === "" ? "no fault" : hits}${how === "" ? "" : ` (${how})`}`;
}

/** The case that `describeCase` wrote. */
export function parseCase(line: string): [Program, Fault[], LabOptions] {
  const [, parts = "", hits = "", how = ""] = /^(\S+) @ ([^(]+?)(?: \((.*)\))?$/.exec(line) ?? [];
  const faults = hits === "no fault" ? [] : hits.split(", ").map((hit) => hit.split(" "));
  const concurrency = /concurrency (\d+)/.exec(how)?.[1];
  return [
    parts.split(",") as unknown as Program,
    faults.map(([point, at, kind]) => ({ point, at: Number(at), how: kind }) as Fault),
    {
      ...(concurrency === undefined ? {} : { concurrency: Number(concurrency) }),
      ...(how.includes("no hints") ? { hints: false } : {}),
    },
  ];
}

export interface LabOptions {
  readonly concurrency?: number;
  readonly hints?: boolean;
}

export interface LabReport {
  /** Calls and effects of each process until the run ended, in the order of their births. */
  readonly processes: readonly { readonly calls: number; readonly effects: number }[];
  /** Of each fault: whether it was met. */
  readonly met: readonly boolean[];
}

const replayed = new Set<string>();

const RUN = "run-1";
/** Virtual time within which everything must have recovered. */
const PATIENCE_MS = 180_000;
/** Longer than a lease: somebody else has gone on meanwhile. */
const FROZEN_MS = 3500;
/** How long the survivors are watched after the end. */
const AFTERMATH_MS = 600;
/** A frozen process must have its say as well. */
const THAW_MS = 4500;

class LabProcess {
  readonly #processClock: ProcessClock;
  readonly #freezer = new Freezer();
  readonly #world: VirtualClock;
  /** As the program in the process sees them. */
  readonly clock: Clock;
  readonly store: Store<MemoryTx>;
  readonly calls: CrashStore<MemoryTx>;
  readonly effectFault: Fault | undefined;
  effects = 0;
  #counted = 0;

  constructor(clock: VirtualClock, audited: AuditStore, fault: Fault | undefined) {
    this.#world = clock;
    this.#processClock = processClock(clock);
    this.clock = this.#freezer.clock(this.#processClock);
    this.effectFault = fault?.point === "effect" ? fault : undefined;
    this.calls = crashStore(audited, {
      ...planOf(fault),
      onCrash: () => this.#processClock.kill(),
    });
    this.store = this.#freezer.store(this.calls, () => this.#called(fault));
  }

  get isFrozen(): boolean {
    return this.#freezer.frozen;
  }

  /** Somebody else has to go on. */
  get isGone(): boolean {
    return this.calls.dead || this.#freezer.frozen;
  }

  /** `frozen`: the call is answered only when the process is thawed; `late`: it also reaches the store only then. */
  #called(fault: Fault | undefined): "late" | undefined {
    if (fault?.point !== "call" || (fault.how !== "frozen" && fault.how !== "late")) return undefined;
    this.#counted += 1;
    if (this.#counted !== fault.at) return undefined;
    this.#freezer.freeze();
    this.#world.after(FROZEN_MS, () => this.#freezer.thaw());
    return fault.how === "late" ? "late" : undefined;
  }

  /** True when the process died there. */
  dies(how: "before" | "after"): boolean {
    const fault = this.effectFault;
    if (fault?.how === how && fault.at === this.effects) this.calls.kill();
    return this.calls.dead;
  }
}

function planOf(fault: Fault | undefined): CrashPlan {
  if (fault?.point !== "call") return { at: 0, when: "before" };
  const { at, how } = fault;
  if (how === "frozen" || how === "late") return { at: 0, when: "before" };
  if (how === "before" || how === "after") return { at, when: how };
  return { at, when: "instead", applied: how === "lost" };
}

export class CrashLab {
  readonly #program: Program;
  readonly #faults: readonly Fault[];
  readonly #options: LabOptions;
  readonly #clock: VirtualClock = virtualClock();
  readonly #store: MemoryStore;
  readonly #audit = new RunAudit();
  readonly #audited: AuditStore;
  readonly #processes: LabProcess[] = [];
  readonly #begun: { readonly name: string; readonly key: string }[] = [];
  readonly #failed = new Set<string>();
  readonly #told = new Set<string>();
  readonly #problems: unknown[] = [];
  #counts: LabReport["processes"] = [];

  constructor(program: Program, faults: readonly Fault[], options: LabOptions) {
    this.#program = program;
    this.#faults = faults;
    this.#options = options;
    this.#store = memoryStore({ clock: this.#clock, hints: options.hints ?? true });
    this.#audited = new AuditStore(this.#store, this.#audit);
  }

  /** Rejects with one line that repeats it when anything is wrong. */
  async run(): Promise<LabReport> {
    try {
      await this.#execute();
      await this.#check();
      return this.#report();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const line = describeCase(this.#program, this.#faults, this.#options);
      throw new Error(`CRASH_CASE="${line}": ${text}\n${this.#describe()}`, { cause: error });
    }
  }

  async #execute(): Promise<void> {
    let process = this.#birth();
    while (this.#audit.end === null) {
      if (this.#problems.length > 0) throw this.#problems[0];
      assert.equal(this.#audit.stuck, null, "the run is stuck");
      assert.ok(this.#clock.monotonic() < PATIENCE_MS, `it did not recover within ${PATIENCE_MS} ms`);
      if (process.isGone) process = this.#birth();
      await this.#clock.advance(this.#clock.nextMs ?? 0);
      await this.#answerSignals();
    }
    this.#counts = this.#processes.map(({ calls, effects }) => ({ calls: calls.calls.length, effects }));
    // I10: whatever still happens, the run stays as it is.
    const isFrozen = this.#processes.some((process) => process.isFrozen);
    await this.#clock.advance(isFrozen ? THAW_MS : AFTERMATH_MS);
    if (this.#problems.length > 0) throw this.#problems[0];
  }

  /** A new process that joins, and starts the run again, as a client does that got no answer. */
  #birth(): LabProcess {
    const process = new LabProcess(this.#clock, this.#audited, this.#faults[this.#processes.length]);
    this.#processes.push(process);
    const definition = interpreter(this.#outsideOf(process));
    const { store, clock } = process;
    const { concurrency } = this.#options;
    const worker = new Worker({
      store,
      clock,
      workflows: [definition],
      lease: "2s",
      logger: silent,
      ...(concurrency === undefined ? {} : { concurrency }),
    });
    const client = new Client({ store, clock });
    const start = async (): Promise<void> => {
      await worker.start();
      await client.start(definition, this.#program, { id: RUN });
    };
    start().catch((error: unknown) => this.#problems.push(error));
    return process;
  }

  #outsideOf(process: LabProcess): Outside {
    return {
      effect: (name, step) => this.#effect(process, name, step),
      failsNow: (name) => {
        const first = !this.#failed.has(name);
        this.#failed.add(name);
        return first;
      },
    };
  }

  async #effect(process: LabProcess, name: string, step: StepContext): Promise<void> {
    process.effects += 1;
    if (process.dies("before")) return new Promise(() => {});
    this.#begins(name, step);
    return process.dies("after") ? new Promise(() => {}) : undefined;
  }

  #begins(name: string, { idempotencyKey }: StepContext): void {
    const isUndo = name.startsWith("undo ");
    const key = isUndo ? `undo ${idempotencyKey.split("/")[1]}` : `step ${idempotencyKey.split("/")[1]}`;
    if (this.#audit.settled.has(key))
      this.#problems.push(new Error(`I4: ${name} began though ${key} was durable`));
    const decided = this.#audit.journal.some(({ kind }) => kind === "unwinding");
    if (isUndo !== decided)
      this.#problems.push(
        new Error(`I13: ${name} began ${decided ? "after" : "before"} the decision to undo`),
      );
    this.#begun.push({ name, key: idempotencyKey });
  }

  /** Once the run waits for a signal, the outside sends it, as often as it takes. */
  async #answerSignals(): Promise<void> {
    for (const wait of this.#audit.waits) {
      if (wait.kind !== "signal" || this.#told.has(wait.key)) continue;
      this.#told.add(wait.key);
      const client = new Client({ store: this.#store, clock: this.#clock });
      const sent = client.get(RUN).signal(wait.key, wait.key, { id: wait.key });
      await this.#clock.advance(0);
      await sent;
    }
  }

  async #check(): Promise<void> {
    const expected = expectationOf(this.#program);
    const run = this.#dump();
    assert.equal(run.end, expected.status, "status");
    const result = run.result === null ? undefined : (JSON.parse(run.result) as unknown);
    assert.deepEqual(result, expected.result, "result");
    const distinct = new Map(this.#begun.map(({ name, key }) => [key, name]));
    const names = [...distinct.values()];
    assert.deepEqual(
      names.filter((name) => !name.startsWith("undo ")).toSorted(),
      expected.effects.filter((name) => !name.startsWith("undo ")).toSorted(),
      "I6: effects, each idempotency key counted once",
    );
    assert.deepEqual(
      names.filter((name) => name.startsWith("undo ")),
      expected.undone,
      "I13: undos in reverse order of start",
    );
    assert.deepEqual(run.journal, this.#audit.journal, "I11: the journal is all that was ever appended");
    assert.deepEqual(run.retries, [], "an ended run has no rows of retries");
    await this.#checkReplay(run);
  }

  /** Journals of the same entries replay the same way: each is tried once. */
  async #checkReplay(run: RunDump): Promise<void> {
    const entries = run.journal.map(({ kind, key }) => `${kind} ${key}`);
    const shape = `${this.#program.join()} ${entries.join()}`;
    if (replayed.has(shape)) return;
    await replaysWithoutBodies(run, this.#program);
    replayed.add(shape);
  }

  #dump(): RunDump {
    const [run] = this.#store.dump().runs;
    assert.ok(run !== undefined, "I1: the run exists");
    return run;
  }

  #report(): LabReport {
    const met = this.#faults.map(({ point, at }, index) => {
      const counts = this.#counts[index];
      return counts !== undefined && (point === "call" ? counts.calls : counts.effects) >= at;
    });
    return { processes: this.#counts, met };
  }

  #describe(): string {
    const entries = this.#audit.journal.map(({ seq, kind, key }) => `  ${seq} ${kind} ${key}`);
    const calls = this.#processes.flatMap(({ calls }, index) =>
      calls.calls.map((call, at) => `  process ${index + 1}, call ${at + 1}: ${call}`),
    );
    return [
      "journal:",
      ...entries,
      "calls:",
      ...calls,
      `effects: ${this.#begun.map(({ name }) => name).join(", ")}`,
    ].join("\n");
  }
}

const ignore = (): void => {};
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
