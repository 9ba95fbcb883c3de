/**
 * Executes runs: claims what is due, runs it in slots, and lets go in order.
 *
 * Owns: slots, stopping. Does not own: what happens inside a run (activation.ts), the lease (lease-keeper.ts), when the store is
 * asked (claims.ts), what is told of runs (beside-runs.ts).
 */
import { type Clock, systemClock } from "../clock.ts";
import type { Logger } from "../context.ts";
import { EverstepError, InvalidArgumentError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import type { Codec } from "../engine/values.ts";
import type { AdvanceWrite, Claim, Hint, Outcome, Renewal, Store, WorkflowRef, Write } from "../store.ts";
import { Activation } from "./activation.ts";
import { BesideRuns } from "./beside-runs.ts";
import { BodyGate } from "./body-gate.ts";
import { type Claimant, Claims } from "./claims.ts";
import type { Pending, Writer } from "./committer.ts";
import { Definitions } from "./definitions.ts";
import { HeldRuns } from "./held-runs.ts";
import type { Host, LetGo } from "./host.ts";
import { bornClaim, type BornRun, type Hub, hubOf, type LocalWorker } from "./hub.ts";
import type { HeldLease } from "./lease.ts";
import { type LeaseHolder, LeaseKeeper } from "./lease-keeper.ts";
import { PAYLOAD_MAX_BYTES } from "./limits.ts";
import { consoleLogger, unfailing } from "./log.ts";
import { Orphans } from "./orphans.ts";
import { outageNotice } from "./outage-notice.ts";
import type { Watch } from "./watch.ts";
import type { WorkerOptions } from "./worker.ts";

const TICK_MS = 500;
/** Without any hint, due runs are looked for this often. */
const POLL_TICKS = 4;
/** What an aborted body gets to notice it. */
const ABORT_MS = 1000;
/** What the last events of the outbox get to arrive. */
const SHIP_MS = 5000;
const LOOK_AGAIN_MS = 100;

export class WorkerCore implements Host, LocalWorker, Claimant, LeaseHolder {
  readonly clock: Clock;
  readonly store: Store;
  readonly logger: Logger;
  readonly codec: Codec | undefined;
  readonly maxPayloadBytes: number;
  readonly abortGraceMs: number;
  readonly workflows: readonly WorkflowRef[];
  readonly storeIsOut: (error: Error) => void;
  readonly gate: BodyGate = new BodyGate(() => this.#pumpAll());
  readonly #hub: Hub;
  readonly #claims: Claims;
  readonly #keeper: LeaseKeeper;
  readonly #definitions: Definitions;
  readonly #held: HeldRuns;
  readonly #beside: BesideRuns;
  readonly #orphans = new Orphans();
  #paused: ReadonlySet<string> = new Set();
  #state: "new" | "running" | "stopping" | "stopped" = "new";
  #ticks = 0;
  #cancelTick: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  #left: Promise<void> | undefined;
  /** `stop` did not wait for the last bodies. */
  #givenUp = false;
  /** How many runs ended here. */
  ended = 0;

  constructor(options: WorkerOptions) {
    this.clock = options.clock ?? systemClock;
    this.store = options.store;
    this.logger = unfailing(options.logger ?? consoleLogger);
    this.storeIsOut = outageNotice(this.clock, this.logger);
    this.codec = options.codec;
    this.maxPayloadBytes = options.maxPayloadBytes ?? PAYLOAD_MAX_BYTES;
    this.abortGraceMs = durationMs(options.abortGrace ?? "30s", "abortGrace");
    const concurrency = options.concurrency ?? 100;
    if (!Number.isInteger(concurrency) || concurrency < 1)
      throw new InvalidArgumentError(`concurrency must be a whole number of at least 1, not ${concurrency}`);
    this.#held = new HeldRuns(this.clock, concurrency);
    this.#hub = hubOf(this.store, this.clock);
    this.#definitions = new Definitions(options.workflows);
    const { specs } = this.#definitions;
    this.workflows = specs.map(({ name, version }) => ({ name, version }));
    this.#keeper = new LeaseKeeper(this, specs, durationMs(options.lease ?? "15s", "lease"));
    this.#claims = new Claims(this);
    this.#beside = new BesideRuns(this, options, this.#definitions.all);
  }

  // ------------------------------------------------------------------------------------------ life

  async start(): Promise<void> {
    if (this.#state !== "new")
      throw new EverstepError("INVALID_ARGUMENT", "a worker can be started once; make a new one");
    this.#state = "running";
    await this.#keeper.join();
    if (!this.isRunning) return this.#sayGoodbye(); // stopped meanwhile
    this.#hub.workers.add(this);
    this.#unwatch = this.store.watch((hint) => this.#hinted(hint), "work");
    this.watch?.worker("worker.joined", this.worker);
    this.#tick();
    this.#claims.soon();
    this.#beside.start();
  }

  /** Resolves once nothing is held, nothing is due, and nothing is left to ship. */
  async idle(): Promise<void> {
    do {
      await this.#held.empty();
      await this.#claims.asked();
      // Due, and not to be had: another worker is about to take it.
      if (this.#held.isEmpty && this.#claims.moreDue) await this.#pause(LOOK_AGAIN_MS);
    } while (!this.#held.isEmpty || this.#claims.moreDue);
    await this.#beside.shipped();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }

  async stop(graceMs: number, abortMs: number = ABORT_MS): Promise<readonly string[]> {
    if (this.#state === "new" || this.#state === "stopped") {
      this.#state = "stopped";
      return [];
    }
    this.#state = "stopping";
    this.#hub.workers.delete(this);
    this.#claims.stop();
    for (const activation of this.#held) activation.drain(false);
    if (!(await this.#held.empty(graceMs))) {
      for (const activation of this.#held) activation.drain(true);
      await this.#held.empty(abortMs);
    }
    const living = this.#held.ids;
    await this.#beside.stop(Math.min(SHIP_MS, graceMs));
    if (living.length === 0) await this.#leave();
    else this.#givenUp = true;
    if (this.#givenUp)
      this.logger.warn(
        "a worker stopped while bodies that ignore their signal still live; their runs stay owned until they settle",
        { runs: living },
      );
    return living;
  }

  #leave(): Promise<void> {
    this.#left ??= this.#sayGoodbye();
    return this.#left;
  }

  async #sayGoodbye(): Promise<void> {
    this.#state = "stopped";
    this.#cancelTick?.();
    this.#unwatch?.();
    await this.#keeper.leave(this.#hub.committer);
    if (this.lease !== undefined) this.watch?.worker("worker.left", this.worker);
    await this.#beside.told();
  }

  /** When something is due next, as far as is known; what was missed while no slot was free may be due now. */
  get nextDueAt(): number | null {
    return this.#claims.nextDueAt;
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  get isOver(): boolean {
    return this.#state === "stopped";
  }

  // ------------------------------------------------------------------------------------------ the lease

  get lease(): HeldLease | undefined {
    return this.#keeper.lease;
  }

  /** Also at once after joining: whoever died before is noticed that much sooner. */
  #tick(): void {
    this.#ticks += 1;
    if (this.#ticks % POLL_TICKS === 0) this.#claims.look();
    this.#keeper.renew();
    this.#cancelTick = this.clock.after(TICK_MS, () => this.#tick(), { unref: this.#givenUp });
  }

  renewed(renewal: Renewal, wasGood: boolean): void {
    if (!wasGood) this.#pumpAll();
    // What became due while the lease was not good was not claimed.
    if (renewal.reaped > 0 || !wasGood) this.#claims.soon();
    if (renewal.owned !== null) this.#compare(renewal.owned);
  }

  #compare(owned: NonNullable<Renewal["owned"]>): void {
    const missing = owned.filter(({ runId }) => !this.#held.has(runId));
    for (const { runId, attempt } of this.#orphans.toGiveBack(missing)) {
      const then = { do: "release", interrupted: true } as const;
      this.submit({ kind: "advance", runId, attempt, entries: [], then }, () => {});
    }
    for (const { runId, inbox } of owned) {
      const activation = this.#held.get(runId);
      if (activation !== undefined && inbox > activation.machine.inbox.seen) this.wantInbox(activation);
    }
  }

  lostLease(worker: number): void {
    this.watch?.worker("worker.fenced", worker);
    this.#orphans.clear();
    for (const activation of Array.from(this.#held)) activation.abandon();
  }

  async joinedAgain(): Promise<void> {
    if (!this.isRunning) return this.#sayGoodbye(); // stopped meanwhile
    this.watch?.worker("worker.joined", this.worker);
    this.#claims.soon();
  }

  // ------------------------------------------------------------------------------------------ claims

  #hinted(hint: Hint): void {
    if (hint.runIds === undefined) {
      for (const activation of this.#held) this.#claims.want(activation);
      this.#claims.soon();
      return;
    }
    for (const runId of hint.runIds) {
      const activation = this.#held.get(runId);
      if (activation === undefined) this.#claims.soon();
      else if (!activation.lettingGo) this.#claims.want(activation);
    }
  }

  get crowded(): boolean {
    return this.#claims.crowded;
  }

  makeRoom(max: number): void {
    let left = max;
    for (const activation of this.#held) {
      if (left <= 0) return;
      if (!activation.lettingGo && activation.linger.giveWay()) left -= 1;
    }
  }

  wantInbox(activation: Activation): void {
    this.#claims.want(activation);
  }

  get free(): number {
    return this.isRunning ? this.#held.free : 0;
  }

  get haunted(): readonly string[] {
    return this.#held.haunted;
  }

  held(runId: string): Activation | undefined {
    return this.#held.get(runId);
  }

  take(claim: Claim & { readonly lookedAt: number }): void {
    const { run } = claim;
    const definition = this.#definitions.get({ name: run.workflow, version: run.version });
    if (definition === undefined || this.#held.has(run.id)) return;
    // The answer was under way for so long that the run was given back: others may have executed it since (P2).
    if (this.#orphans.isOver(run)) return;
    const activation = new Activation(this, claim, definition);
    this.#held.add(activation);
    this.watch?.runBegan(activation, claim);
    if (this.isRunning) activation.begin();
    else activation.drain(false);
  }

  pausedNow(workflows: readonly string[]): void {
    this.#paused = new Set(workflows);
    if (workflows.length === 0) return;
    for (const activation of Array.from(this.#held))
      if (this.#paused.has(activation.workflow.name) && !activation.lettingGo) activation.drain(false);
  }

  // ------------------------------------------------------------------------------------------ starts in this process

  reserve(workflow: string, version: string): Writer | undefined {
    if (this.free === 0 || this.lease?.good !== true || this.#claims.moreDue || this.#paused.has(workflow))
      return undefined;
    if (this.#definitions.get({ name: workflow, version }) === undefined) return undefined;
    this.#held.reserve();
    return this.lease;
  }

  unreserve(): void {
    this.#held.unreserve();
    this.#slotFree();
  }

  adopt(born: BornRun, writer: Writer): void {
    this.#held.unreserve();
    // An answer that came late may be of a lease that is over: others may have executed the run since (P2).
    if (writer === this.lease) this.take({ ...bornClaim(born, writer.worker), lookedAt: born.createdAt });
    else this.#slotFree();
  }

  holds(runId: string): boolean {
    return this.#held.has(runId);
  }

  // ------------------------------------------------------------------------------------------ what activations need

  get watch(): Watch | undefined {
    return this.#beside.watch;
  }

  get worker(): number {
    return this.lease?.worker ?? 0;
  }

  now(): number {
    return this.lease?.now() ?? this.clock.now();
  }

  mayBegin(): boolean {
    return this.lease?.good ?? false;
  }

  submit(write: AdvanceWrite, settle: (outcome: Outcome) => void): void {
    const { lease } = this;
    if (lease === undefined) {
      this.clock.macrotask(() => settle({ is: "fenced" }));
      return;
    }
    const writing = this.#watched(write, settle);
    this.#hub.committer.submit({ ...writing, writer: lease, fail: () => settle({ is: "fenced" }) });
  }

  /** What needs no lease. */
  write(write: Write): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#hub.committer.submit({ write, writer: undefined, settle: resolve, fail: reject });
    });
  }

  #watched(write: AdvanceWrite, settle: (outcome: Outcome) => void): Pick<Pending, "write" | "settle"> {
    const { watch } = this;
    const activation = watch && this.#held.get(write.runId);
    if (watch === undefined || activation === undefined) return { write, settle };
    const watched = watch.written(activation, write);
    return {
      write: watched,
      settle: (outcome) => {
        watch.settled(activation, watched, outcome);
        settle(outcome);
      },
    };
  }

  letGo(activation: Activation, how: LetGo): void {
    this.#held.letGo(activation);
    this.watch?.letGo(activation, how);
    if (how.how === "ended") {
      this.ended += 1;
      this.#hub.results.ended(activation.runId, how);
    }
    if (how.how === "parked" && how.dueAt !== null) this.#claims.dueAt(how.dueAt);
    if (how.how === "released" && !this.isRunning) this.#claims.dueAt(this.now());
    this.#slotFree();
  }

  bodiesGone(activation: Activation): void {
    this.#held.bodiesGone(activation);
    this.#claims.soon();
  }

  #slotFree(): void {
    if (this.#claims.moreDue || this.#claims.missed) this.#claims.soon();
    if (!this.#held.isEmpty) return;
    if (!this.#held.tellEmpty() && this.#state === "stopping" && this.#givenUp)
      this.#leave().catch((error: unknown) => this.logger.error(String(error)));
  }

  #pumpAll(): void {
    for (const activation of this.#held) activation.wake();
  }
}
