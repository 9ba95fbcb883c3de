/**
 * One database, the processes around it and the world outside, in one process and in virtual time.
 *
 * Owns: time, births and deaths, what the outside does, what was seen. Does not own: who is hit when (nemesis.ts), what must
 * hold for each workflow (its caller).
 */
import type { Duration } from "../../context.ts";
import { durationMs } from "../../engine/duration.ts";
import { StoreUnavailableError } from "../../errors.ts";
import { Client, type StartOptions } from "../../runtime/client.ts";
import type { RunHandle } from "../../runtime/run-handle.ts";
import type { Entry } from "../../store.ts";
import type { Workflow } from "../../definition.ts";
import type { BodyCall } from "../around-bodies.ts";
import { type MemoryStore, memoryStore } from "../memory-store.ts";
import type { RunDump } from "../memory/dump.ts";
import type { MemoryTx } from "../memory/transaction.ts";
import { type VirtualClock, virtualClock } from "../virtual-clock.ts";
import { Audit, type RunAudit } from "./audit.ts";
import { Bodies } from "./bodies.ts";
import { delayedStore } from "./delayed-store.ts";
import { SimulatedProcess } from "./process.ts";
import { PendingCalls } from "./pending-calls.ts";
import type { Outside, SimulationSetup } from "./setup.ts";
import { compareStored } from "./stored.ts";
import { StuckRuns } from "./stuck-runs.ts";
import { Trace } from "./trace.ts";
import { unended } from "./unended.ts";

const POLL_MS = 20;
/** Longer than that nobody waits for a process that does not answer. */
const CALLER_PATIENCE_MS = 4000;
/** How long the survivors are watched after the end, and how much longer when some are frozen. */
const AFTERMATH_MS = 600;
const THAW_MS = 4500;
const BIRTH_MAX_MS = 2000;
/** What workers keep back of their lease; and how long, in leases, the answer to a renewal may be under way that tells them. */
const LEASE_MARGIN = 0.2;
const EXCUSED_LEASES = 4;
/** So many in a row, and nothing achieved: what is tried once a day takes no other time. */
const RESTS_MAX = 1000;

export class Simulation<W> {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly client: Client<MemoryTx>;
  readonly world: W;
  readonly audit: Audit = new Audit();
  readonly bodies: Bodies = new Bodies(this.audit);
  readonly processes: SimulatedProcess[] = [];
  readonly trace: Trace;
  readonly #setup: SimulationSetup<W>;
  readonly #calls: PendingCalls;
  readonly #stuckRuns: StuckRuns;
  readonly #told = new Set<string>();
  #births = 0;
  /** Callers who wait for an answer. */
  #calling = 0;
  #ids = 0;
  #restedMs = 0;
  /** Processes that died of nothing but a rest. */
  #rested = 0;
  #rests = 0;
  #excusedUntilMs = 0;
  #progress = 0;
  #progressedMs = 0;
  /** When, by the monotonic clock, what drives the simulation goes on by itself. */
  readonly #wakes = new Set<number>();
  #healed = false;
  #resting = false;
  #driven = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(setup: SimulationSetup<W>) {
    this.#setup = setup;
    this.#calls = new PendingCalls(setup.patience);
    this.clock = virtualClock({ seed: setup.seed });
    this.store = memoryStore({ clock: this.clock, hints: setup.hints });
    this.client = new Client<MemoryTx>({ store: this.store.reopen(), clock: this.clock });
    this.trace = new Trace(this.clock, setup.trace);
    const { mend } = setup;
    this.#stuckRuns = new StuckRuns({
      resume: (id) => this.client.runs.resume(id),
      mend: mend === undefined ? undefined : (id) => mend(this.#outside(), id),
    });
    const clock = this.#calls.watched(this.clock);
    this.world = setup.world?.({
      clock,
      journal: (id) => this.#journal(id),
      failures: (id, key) => this.audit.runs.get(id)?.failures.get(key) ?? 0,
    }) as W;
  }

  /** Runs until the outside has done its part and every run has ended. Throws what is wrong. */
  async run(): Promise<void> {
    this.#replace();
    const driven = Promise.resolve(this.#setup.drive(this.#outside()));
    this.#calls.waitFor("drive", driven, () => this.#calling > 0 || this.#wakes.size > 0);
    driven.then(
      () => {
        this.#driven = true;
      },
      (error: unknown) => {
        this.#failure = { error };
      },
    );
    try {
      await this.#untilEnded();
    } finally {
      // Otherwise what a failed simulation left would go on in the next one's time.
      for (const process of this.processes) process.kill();
    }
  }

  async #untilEnded(): Promise<void> {
    while (!this.#driven || !this.#allEnded()) {
      this.#check();
      if (this.#isOverdue()) throw new Error(await this.#unended());
      this.#heal();
      this.#replace();
      await this.#pass();
      await this.#answer();
    }
    // Whatever survivors and frozen processes still do, what has ended stays as it is.
    const isFrozen = this.processes.some((process) => process.isFrozen && !process.isDead);
    await this.clock.advance(isFrozen ? Math.max(THAW_MS, 4 * this.#setup.leaseMs) : AFTERMATH_MS);
    this.#check();
    compareStored(this.audit, this.store.dump());
    this.#check();
  }

  // ------------------------------------------------------------------------------------------ the outside

  #outside(): Outside<W> {
    const { world, clock, store, client } = this;
    return {
      world,
      clock,
      store,
      client,
      start: (workflow, input, options) => this.#start(workflow, input, options),
      sleep: (duration) => this.#sleep(duration),
      until: (condition) => this.#until(condition),
      journal: (runId) => this.#journal(runId),
      random: () => this.#setup.chaos?.between(0, 1) ?? this.clock.random(),
    };
  }

  async #start<I, O>(
    workflow: Workflow<I, O>,
    input: I,
    options: Omit<StartOptions<MemoryTx>, "tx"> = {},
  ): Promise<RunHandle<O>> {
    this.#ids += 1;
    const id = options.id ?? `${workflow.name}-${this.#ids}`;
    this.#calling += 1;
    try {
      while (!(await this.#tryStart(workflow, input, { ...options, id })));
      return this.client.get<O>(id);
    } finally {
      this.#calling -= 1;
    }
  }

  async #tryStart<I, O>(
    workflow: Workflow<I, O>,
    input: I,
    options: Omit<StartOptions<MemoryTx>, "tx">,
  ): Promise<boolean> {
    const process = await this.#somebody();
    const tried = process.started.then(() => process.client.start(workflow, input, options));
    return this.#answered(process, tried);
  }

  #sleep(duration: Duration): Promise<void> {
    const ms = durationMs(duration, "sleep of the outside");
    const wakeAt = this.clock.monotonic() + ms;
    this.#wakes.add(wakeAt);
    return new Promise((resolve) => {
      this.clock.after(ms, () => {
        this.#wakes.delete(wakeAt);
        resolve();
      });
    });
  }

  async #until(condition: () => boolean): Promise<void> {
    this.#calling += 1;
    while (!condition()) await this.#sleep(POLL_MS);
    this.#calling -= 1;
  }

  #journal(runId: string): readonly Entry[] {
    return this.audit.runs.get(runId)?.journal ?? [];
  }

  /** True when it did it, false when the process died, hung or did not know. */
  #answered(process: SimulatedProcess, tried: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      tried.then(
        () => resolve(true),
        (error: unknown) => {
          if (error instanceof StoreUnavailableError) resolve(false);
          else reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
      process.died.then(
        () => resolve(false),
        () => {},
      );
      this.clock.after(CALLER_PATIENCE_MS, () => process.isFrozen && resolve(false));
    });
  }

  async #somebody(): Promise<SimulatedProcess> {
    for (;;) {
      const here = this.processes.filter((process) => !process.isGone);
      const somebody = this.#setup.chaos?.pick(here) ?? here.at(-1);
      if (somebody !== undefined) return somebody;
      await new Promise<void>((resolve) => {
        this.clock.after(POLL_MS, resolve);
      });
    }
  }

  /** Once a run waits for a signal that the outside knows, it is sent. */
  async #answer(): Promise<void> {
    const sent: Promise<unknown>[] = [];
    for (const { id, waits } of this.audit.runs.values()) {
      for (const { kind, key } of waits) {
        const name = key.replace(/#\d+$/, "");
        if (kind !== "signal" || this.#told.has(`${id} ${key}`) || !Object.hasOwn(this.#setup.signals, name))
          continue;
        this.#told.add(`${id} ${key}`);
        sent.push(this.client.get(id).signal(name, this.#setup.signals[name], { id: key }));
      }
    }
    if (sent.length === 0) return;
    await this.clock.advance(0);
    await Promise.all(sent);
  }

  // ------------------------------------------------------------------------------------------ births and time

  #replace(): void {
    const living = this.processes.filter((process) => !process.isGone).length;
    for (let missing = this.#setup.workers - living - this.#births; missing > 0; missing--) this.#birthSoon();
  }

  #birthSoon(): void {
    const { chaos } = this.#setup;
    if (chaos === undefined || this.processes.length < this.#setup.workers) return this.#birth();
    this.#births += 1;
    this.clock.after(chaos.between(0, BIRTH_MAX_MS), () => {
      this.#births -= 1;
      if (!this.#resting) this.#birth();
    });
  }

  #birth(): void {
    const { nemesis, chaos, leaseMs, concurrency, logger, world, patience } = this.#setup;
    const watched = this.audit.watched(this.store.reopen());
    const process = new SimulatedProcess({
      no: this.processes.length + 1,
      clock: this.clock,
      store: chaos === undefined ? watched : delayedStore(watched, this.clock, chaos),
      nemesis,
      leaseMs,
      concurrency,
      logger,
      hasWorld: world !== undefined,
      answerMs: chaos === undefined ? undefined : () => chaos.delayMs(),
      waitsForBodies: patience.isForBodies,
      happened: (what) => this.trace.add(what),
      bodyBegins: (no, call) => this.#bodyBegins(no, call),
      pending: (what, call, isHeld) => this.#calls.waitFor(what, call, isHeld),
    });
    this.processes.push(process);
    this.trace.add(`process ${process.no} was born`);
    process.begin(this.#setup.workflows(process.view(this.world), process));
  }

  #bodyBegins(process: number, call: BodyCall): void {
    this.bodies.begins(process, call, this.#activeMs < this.#excusedUntilMs);
  }

  async #pass(): Promise<void> {
    await this.#calls.settle();
    const jumpMs = this.#setup.chaos?.clockJumpMs() ?? 0;
    if (jumpMs !== 0) this.#jump(jumpMs);
    const restMs = this.#restMs();
    if (restMs > this.#setup.restMs) await this.#rest(restMs);
    else await this.clock.advance(this.clock.nextMs ?? 0);
  }

  /** When it skips more of a lease than workers keep back, some are taken over that could not know (docs/guarantees.md, P2). */
  #jump(ms: number): void {
    this.trace.add(`the store's clock jumps by ${ms} ms`);
    this.clock.jump(ms);
    if (ms < this.#setup.leaseMs * LEASE_MARGIN) return;
    this.#excusedUntilMs = this.#activeMs + EXCUSED_LEASES * this.#setup.leaseMs;
    for (const process of this.processes) process.lapses += 1;
  }

  /** How long nothing will happen but heartbeats: every run is parked. */
  #restMs(): number {
    if (this.#calls.isBusy || this.#calling > 0) return 0;
    let restMs = Math.min(...this.#wakes) - this.clock.monotonic();
    for (const { end, parkedUntil } of this.audit.runs.values()) {
      if (end !== null || parkedUntil === null) continue;
      if (parkedUntil === undefined) return 0;
      restMs = Math.min(restMs, parkedUntil - this.clock.now());
    }
    return Number.isFinite(restMs) ? restMs : 0;
  }

  /** As if all had been switched off and on again: heartbeats of weeks would take minutes to simulate. */
  async #rest(ms: number): Promise<void> {
    this.trace.add(`all processes rest for ${ms} ms`);
    this.#rested += this.processes.filter(({ isDead }) => !isDead).length;
    for (const process of this.processes) process.kill();
    this.#restedMs += ms;
    this.#rests += 1;
    this.#resting = true;
    await this.clock.advance(ms);
    this.#resting = false;
  }

  // ------------------------------------------------------------------------------------------ what must hold

  #allEnded(): boolean {
    const isEnded = ({ end }: RunAudit): boolean => end !== null;
    if (![...this.audit.runs.values()].every(isEnded)) return false;
    this.#lookAround();
    return [...this.audit.runs.values()].every(isEnded);
  }

  /** Runs that nobody has claimed yet, such as those of events; and ended ones that a person has go on. */
  #lookAround(): void {
    for (const { id, end, journal } of this.runs()) {
      const run = this.audit.run(id);
      if (end === null && run.end !== null) run.compare(journal);
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    const problem = this.audit.problems[0] ?? this.bodies.problems[0];
    if (problem !== undefined) throw new Error(problem);
    for (const run of this.audit.runs.values()) if (run.stuck !== null) this.#attend(run, run.stuck);
  }

  #attend(run: RunAudit, stuck: NonNullable<RunAudit["stuck"]>): void {
    // Of a worker that was taken over while it lived, the others know no better than that it died.
    const deaths = this.processes.reduce(
      (sum, { isDead, lapses }) => sum + (isDead ? 1 : 0) + lapses,
      -this.#rested,
    );
    const attended = this.#stuckRuns.attend(run, stuck, deaths);
    this.trace.add(`run ${run.id} was stuck (${stuck.code}), and is attended to`);
    run.stuck = null;
    attended.catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  /** Nothing is broken any more, and nothing has been journaled for longer than anybody should have to wait. */
  #isOverdue(): boolean {
    const { healAfterMs, patienceMs } = this.#setup;
    if (this.audit.progress > this.#progress) {
      this.#progress = this.audit.progress;
      this.#progressedMs = this.#activeMs;
      this.#rests = 0;
    }
    return this.#rests > RESTS_MAX || this.#activeMs > Math.max(healAfterMs, this.#progressedMs) + patienceMs;
  }

  #unended(): Promise<string> {
    const { client } = this;
    const runs = this.audit.runs.values();
    return unended({ runs, client, calls: this.#calls, patienceMs: this.#setup.patienceMs });
  }

  /** Virtual time but for the rests. */
  get #activeMs(): number {
    return this.clock.monotonic() - this.#restedMs;
  }

  #heal(): void {
    if (this.#healed || this.#activeMs < this.#setup.healAfterMs) return;
    this.#healed = true;
    this.trace.add("healed");
    this.#setup.chaos?.heal();
  }

  runs(): readonly RunDump[] {
    return this.store.dump().runs;
  }
}
