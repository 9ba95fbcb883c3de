/**
 * Executes runs: joins the store, keeps its lease, claims what is due, and lets go in order.
 *
 * Owns: the lease, claims, slots, stopping. Does not own: what happens inside a run (activation.ts).
 */
import { hostname } from "node:os";
import { type Clock, systemClock } from "../clock.ts";
import type { Logger } from "../context.ts";
import { EverstepError, InvalidArgumentError, StoreUnavailableError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import type { Codec } from "../engine/values.ts";
import type { AdvanceWrite, Claim, Hint, Outcome, Renewal, Store, WorkflowRef } from "../store.ts";
import type { Workflow } from "../workflow.ts";
import { Activation } from "./activation.ts";
import { Backoff } from "./backoff.ts";
import { BodyGate } from "./body-gate.ts";
import type { Writer } from "./committer.ts";
import { bornClaim, type BornRun, type Hub, hubOf, type LocalWorker } from "./hub.ts";
import { type Claimant, Claims } from "./claims.ts";
import type { Host, LetGo } from "./host.ts";
import { HeldLease } from "./lease.ts";
import { PAYLOAD_MAX_BYTES } from "./limits.ts";
import { consoleLogger, unfailing } from "./log.ts";
import { Orphans } from "./orphans.ts";
import { outageNotice } from "./outage-notice.ts";
import type { StopOptions, WorkerOptions } from "./worker.ts";

const TICK_MS = 500;
/** Without any hint, due runs are looked for this often. */
const POLL_TICKS = 4;
/** What an aborted body gets to notice it. */
const ABORT_MS = 1000;
const LEAVE_MS = 5000;

export class WorkerCore implements Host, LocalWorker, Claimant {
  readonly clock: Clock;
  readonly store: Store;
  readonly logger: Logger;
  readonly codec: Codec | undefined;
  readonly maxPayloadBytes: number;
  readonly workflows: readonly WorkflowRef[];
  readonly storeIsOut: (error: Error) => void;
  readonly gate: BodyGate = new BodyGate(() => this.#pumpAll());
  readonly #hub: Hub;
  readonly #claims: Claims;
  readonly #definitions = new Map<string, Workflow>();
  readonly #concurrency: number;
  readonly #leaseMs: number;
  readonly #held = new Map<string, Activation>();
  /** Runs that are gone, but whose body still lives here: not to be claimed again by us. */
  readonly #haunted = new Set<Activation>();
  readonly #outages: Backoff;
  readonly #orphans = new Orphans();
  #lease: HeldLease | undefined;
  #reserved = 0;
  #state: "new" | "running" | "stopping" | "stopped" = "new";
  #renewing = false;
  #ticks = 0;
  #cancelTick: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  readonly #emptied = new Set<() => void>();
  #left: Promise<void> | undefined;
  /** `stop` did not wait for the last bodies. */
  #givenUp = false;

  constructor(options: WorkerOptions) {
    this.clock = options.clock ?? systemClock;
    this.store = options.store;
    this.logger = unfailing(options.logger ?? consoleLogger);
    this.storeIsOut = outageNotice(this.clock, this.logger);
    this.codec = options.codec;
    this.maxPayloadBytes = options.maxPayloadBytes ?? PAYLOAD_MAX_BYTES;
    this.#concurrency = options.concurrency ?? 100;
    if (!Number.isInteger(this.#concurrency) || this.#concurrency < 1)
      throw new InvalidArgumentError(
        `concurrency must be a whole number of at least 1, not ${this.#concurrency}`,
      );
    this.#leaseMs = durationMs(options.lease ?? "15s", "lease");
    this.#outages = new Backoff(this.clock);
    this.#hub = hubOf(this.store, this.clock);
    this.#claims = new Claims(this);
    for (const definition of options.workflows) this.#register(definition as unknown as Workflow);
    this.workflows = [...this.#definitions.values()].map(({ name, version }) => ({ name, version }));
  }

  #register(definition: Workflow): void {
    const key = definitionKey(definition.name, definition.version);
    if (this.#definitions.has(key)) {
      throw new InvalidArgumentError(
        `workflow ${definition.name} version ${definition.version} is given to this worker twice; rename one of them or give it another version`,
      );
    }
    this.#definitions.set(key, definition);
  }

  // ------------------------------------------------------------------------------------------ life

  async start(): Promise<void> {
    if (this.#state !== "new")
      throw new EverstepError("INVALID_ARGUMENT", "a worker can be started once; make a new one");
    this.#state = "running";
    await this.#join();
    if (this.#state !== "running") return this.#sayGoodbye(); // stopped meanwhile
    this.#hub.workers.add(this);
    this.#unwatch = this.store.watch((hint) => this.#hinted(hint), "work");
    this.#tick();
    this.#claims.soon();
  }

  async #join(): Promise<void> {
    for (;;) {
      const askedAt = this.clock.monotonic();
      try {
        const lease = await this.store.join({
          workflows: this.workflows,
          leaseMs: this.#leaseMs,
          host: hostname(),
          pid: process.pid,
        });
        this.#outages.over();
        this.#lease = new HeldLease(this.clock, lease, {
          askedAt,
          leaseMs: this.#leaseMs,
          lost: () => this.#loseLease(lease.worker),
        });
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || this.#state !== "running") throw error;
        this.storeIsOut(error);
        await this.#outages.wait();
      }
    }
  }

  async stop(options: StopOptions): Promise<readonly string[]> {
    const graceMs = durationMs(options.grace ?? "10s", "grace");
    if (this.#state === "new" || this.#state === "stopped") {
      this.#state = "stopped";
      return [];
    }
    this.#state = "stopping";
    this.#hub.workers.delete(this);
    this.#claims.stop();
    for (const activation of this.#held.values()) activation.drain(false);
    if (!(await this.#empty(graceMs))) {
      for (const activation of this.#held.values()) activation.drain(true);
      await this.#empty(ABORT_MS);
    }
    const living = [...this.#held.values()].map((activation) => activation.runId);
    if (living.length === 0) await this.#leave();
    else this.#givenUp = true;
    if (this.#givenUp)
      this.logger.warn(
        "a worker stopped while bodies that ignore their signal still live; their runs stay owned until they settle",
        { runs: living },
      );
    return living;
  }

  /** Waits until no run is held. Whoever else stops the worker meanwhile may be less patient. */
  #empty(ms: number): Promise<boolean> {
    if (this.#held.size === 0 && this.#reserved === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const emptied = (): void => {
        cancel();
        resolve(true);
      };
      const cancel = this.clock.after(ms, () => {
        this.#emptied.delete(emptied);
        resolve(false);
      });
      this.#emptied.add(emptied);
    });
  }

  #leave(): Promise<void> {
    this.#left ??= this.#sayGoodbye();
    return this.#left;
  }

  async #sayGoodbye(): Promise<void> {
    this.#state = "stopped";
    this.#cancelTick?.();
    this.#unwatch?.();
    const lease = this.#lease;
    if (lease === undefined) return;
    await new Promise<void>((resolve) => {
      // A store that is out must not keep the process from ending: then the lease runs out by itself.
      const cancel = this.clock.after(LEAVE_MS, resolve, { unref: true });
      const left = (): void => {
        cancel();
        resolve();
      };
      this.#hub.committer.submit({ write: { kind: "leave" }, writer: lease, settle: left, fail: left });
    });
  }

  // ------------------------------------------------------------------------------------------ the lease

  get lease(): HeldLease | undefined {
    return this.#lease;
  }

  /** Also at once after joining: whoever died before is noticed that much sooner. */
  #tick(): void {
    this.#ticks += 1;
    if (this.#ticks % POLL_TICKS === 0) this.#claims.soon();
    if (!this.#renewing) this.#renew().catch((error: unknown) => this.logger.error(String(error)));
    this.#cancelTick = this.clock.after(TICK_MS, () => this.#tick(), { unref: this.#givenUp });
  }

  async #renew(): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#renewing = true;
    const askedAt = this.clock.monotonic();
    try {
      const renewal = await this.store.renew(lease.asLease);
      if (this.#lease !== lease || this.#state === "stopped") return;
      if (renewal.live) this.#renewed(lease, renewal, askedAt);
      else this.#loseLease(lease.worker);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) && this.#state !== "stopped")
        this.logger.error(`the store can't be used: ${String(error)}`);
    } finally {
      this.#renewing = false;
    }
  }

  #renewed(lease: HeldLease, renewal: Renewal, askedAt: number): void {
    const wasGood = lease.good;
    lease.renewed(renewal, askedAt);
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

  #loseLease(worker: number): void {
    if (this.#lease?.worker !== worker) return;
    this.#fenced().catch((error: unknown) => {
      // Stopped meanwhile, and its store closed: nobody wants it to go on.
      if (this.#state !== "running") return;
      this.logger.error(`this worker can't go on, restart it: ${String(error)}`);
    });
  }

  /** Nothing of ours can be written any more: another worker took over, or the store refused a whole batch. */
  async #fenced(): Promise<void> {
    this.#lease = undefined;
    this.#orphans.clear();
    this.logger.warn(
      "this worker's lease is over (it was silent for too long, or its store failed); its runs go on elsewhere, and it joins again",
    );
    for (const activation of Array.from(this.#held.values())) activation.abandon();
    if (this.#state !== "running") return;
    await this.#join();
    if (this.#state !== "running") return this.#sayGoodbye(); // stopped meanwhile
    this.#claims.soon();
  }

  // ------------------------------------------------------------------------------------------ claims

  #hinted(hint: Hint): void {
    if (hint.runIds === undefined) {
      for (const activation of this.#held.values()) this.#claims.want(activation);
      this.#claims.soon();
      return;
    }
    for (const runId of hint.runIds) {
      const activation = this.#held.get(runId);
      if (activation === undefined) this.#claims.soon();
      else if (!activation.lettingGo) this.#claims.want(activation);
    }
  }

  wantInbox(activation: Activation): void {
    this.#claims.want(activation);
  }

  get isOver(): boolean {
    return this.#state === "stopped";
  }

  get free(): number {
    return this.#state === "running" ? Math.max(0, this.#concurrency - this.#held.size - this.#reserved) : 0;
  }

  get haunted(): readonly string[] {
    return [...this.#haunted].map((activation) => activation.runId);
  }

  held(runId: string): Activation | undefined {
    return this.#held.get(runId);
  }

  take(claim: Claim & { readonly lookedAt: number }): void {
    const definition = this.#definitions.get(definitionKey(claim.run.workflow, claim.run.version));
    if (definition === undefined || this.#held.has(claim.run.id)) return;
    // The answer was under way for so long that the run was given back: others may have executed it since (P2).
    if (this.#orphans.isOver(claim.run)) return;
    const activation = new Activation(this, claim, definition);
    this.#held.set(claim.run.id, activation);
    if (this.#state === "running") activation.begin();
    else activation.drain(false);
  }

  // ------------------------------------------------------------------------------------------ starts in this process

  reserve(workflow: string, version: string): Writer | undefined {
    if (this.#state !== "running" || this.free === 0 || this.#lease?.good !== true || this.#claims.moreDue)
      return undefined;
    if (!this.#definitions.has(definitionKey(workflow, version))) return undefined;
    this.#reserved += 1;
    return this.#lease;
  }

  unreserve(): void {
    this.#reserved -= 1;
    this.#slotFree();
  }

  adopt(born: BornRun, writer: Writer): void {
    this.#reserved -= 1;
    // An answer that came late may be of a lease that is over: others may have executed the run since (P2).
    if (writer === this.#lease) this.take({ ...bornClaim(born, writer.worker), lookedAt: born.createdAt });
    else this.#slotFree();
  }

  holds(runId: string): boolean {
    return this.#held.has(runId);
  }

  // ------------------------------------------------------------------------------------------ what activations need

  get worker(): number {
    return this.#lease?.worker ?? 0;
  }

  now(): number {
    return this.#lease?.now() ?? this.clock.now();
  }

  mayBegin(): boolean {
    return this.#lease?.good ?? false;
  }

  submit(write: AdvanceWrite, settle: (outcome: Outcome) => void): void {
    const lease = this.#lease;
    if (lease === undefined) {
      this.clock.macrotask(() => settle({ is: "fenced" }));
      return;
    }
    this.#hub.committer.submit({ write, writer: lease, settle, fail: () => settle({ is: "fenced" }) });
  }

  letGo(activation: Activation, how: LetGo): void {
    this.#held.delete(activation.runId);
    if (activation.livingBodies > 0) this.#haunted.add(activation);
    if (how.how === "ended") this.#hub.results.ended(activation.runId, how);
    if (how.how === "parked" && how.dueAt !== null) this.#claims.dueAt(how.dueAt);
    this.#slotFree();
  }

  bodiesGone(activation: Activation): void {
    this.#haunted.delete(activation);
    this.#claims.soon();
  }

  #slotFree(): void {
    if (this.#claims.moreDue || this.#claims.missed) this.#claims.soon();
    if (this.#state !== "stopping" || this.#held.size > 0 || this.#reserved > 0) return;
    if (this.#emptied.size === 0 && this.#givenUp)
      this.#leave().catch((error: unknown) => this.logger.error(String(error)));
    for (const emptied of this.#emptied) emptied();
    this.#emptied.clear();
  }

  #pumpAll(): void {
    for (const activation of this.#held.values()) activation.wake();
  }
}

function definitionKey(name: string, version: string): string {
  return `${name}\n${version}`;
}
