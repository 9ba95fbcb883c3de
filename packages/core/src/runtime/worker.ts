/**
 * Executes runs: joins the store, keeps its lease, claims what is due, and lets go in order.
 *
 * Owns: the lease, claims, slots, stopping. Does not own: what happens inside a run (activation.ts).
 */
import { hostname } from "node:os";
import { type Clock, systemClock } from "../clock.ts";
import type { Duration, Logger } from "../context.ts";
import { EverstepError, InvalidArgumentError, StoreUnavailableError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import type { Codec } from "../engine/values.ts";
import type { AdvanceWrite, Claim, Hint, Outcome, Renewal, Store } from "../store.ts";
import type { AnyWorkflow, Workflow } from "../workflow.ts";
import { Activation, type Host, type LetGo } from "./activation.ts";
import { Backoff } from "./backoff.ts";
import { BodyGate } from "./body-gate.ts";
import type { Writer } from "./committer.ts";
import { type BornRun, type Hub, hubOf, type LocalWorker } from "./hub.ts";
import { HeldLease } from "./lease.ts";
import { PAYLOAD_MAX_BYTES } from "./limits.ts";
import { consoleLogger } from "./log.ts";

export interface WorkerOptions<Tx = unknown> {
  readonly store: Store<Tx>;
  readonly workflows: readonly AnyWorkflow[];
  /** Runs in memory at a time; default 100. Parked runs do not count. */
  readonly concurrency?: number;
  /** How long the store keeps a silent worker's runs for it; default 15 s. A dead process is noticed sooner where the store can. */
  readonly lease?: Duration;
  /** Results, errors, inputs and signals larger than this are refused; default 1 MiB. */
  readonly maxPayloadBytes?: number;
  readonly codec?: Codec;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

export interface StopOptions {
  /** How long bodies may go on before they are aborted; default 10 s. */
  readonly grace?: Duration;
}

const TICK_MS = 500;
/** Without any hint, due runs are looked for this often. */
const POLL_TICKS = 4;
/** What an aborted body gets to notice it. */
const ABORT_MS = 1000;

export class Worker<Tx = unknown> implements AsyncDisposable {
  readonly #core: WorkerCore;

  constructor(options: WorkerOptions<Tx>) {
    this.#core = new WorkerCore(options as unknown as WorkerOptions);
  }

  /** Joins the store and begins to claim runs. Waits for a store that is out; throws `StoreError` for one that can't be used. */
  start(): Promise<void> {
    return this.#core.start();
  }

  /**
   * Claims no more and lets go of all runs: idle ones at once, others when their bodies are over, and after `grace` bodies are
   * aborted. An interruption uses up no attempt; another worker goes on with the runs at once. Answers with the ids of the runs
   * whose body ignored that and still lives: they stay owned until it settles or the process ends.
   */
  stop(options: StopOptions = {}): Promise<readonly string[]> {
    return this.#core.stop(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

class WorkerCore implements Host, LocalWorker {
  readonly clock: Clock;
  readonly store: Store;
  readonly logger: Logger;
  readonly codec: Codec | undefined;
  readonly maxPayloadBytes: number;
  readonly gate = new BodyGate(() => this.#pumpAll());
  readonly #hub: Hub;
  readonly #definitions = new Map<string, Workflow>();
  readonly #concurrency: number;
  readonly #leaseMs: number;
  readonly #held = new Map<string, Activation>();
  /** Runs that are gone, but whose body still lives here: not to be claimed again by us. */
  readonly #haunted = new Set<Activation>();
  readonly #inboxes = new Set<Activation>();
  readonly #outages: Backoff;
  #orphans = new Set<string>();
  #lease: HeldLease | undefined;
  #reserved = 0;
  #state: "new" | "running" | "stopping" | "stopped" = "new";
  #claiming = false;
  #claimAgain = false;
  #moreDue = false;
  #renewing = false;
  #ticks = 0;
  #cancelTick: (() => void) | undefined;
  #cancelDue: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  #emptied: (() => void) | undefined;
  /** `stop` did not wait for the last bodies. */
  #givenUp = false;

  constructor(options: WorkerOptions) {
    this.clock = options.clock ?? systemClock;
    this.store = options.store;
    this.logger = options.logger ?? consoleLogger;
    this.codec = options.codec;
    this.maxPayloadBytes = options.maxPayloadBytes ?? PAYLOAD_MAX_BYTES;
    this.#concurrency = options.concurrency ?? 100;
    if (!Number.isInteger(this.#concurrency) || this.#concurrency < 1) throw new InvalidArgumentError(`concurrency must be a whole number of at least 1, not ${this.#concurrency}`);
    this.#leaseMs = durationMs(options.lease ?? "15s", "lease");
    this.#outages = new Backoff(this.clock);
    this.#hub = hubOf(this.store, this.clock);
    for (const definition of options.workflows) this.#register(definition as unknown as Workflow);
  }

  #register(definition: Workflow): void {
    const key = definitionKey(definition.name, definition.version);
    if (this.#definitions.has(key)) {
      throw new InvalidArgumentError(`workflow ${definition.name} version ${definition.version} is given to this worker twice; rename one of them or give it another version`);
    }
    this.#definitions.set(key, definition);
  }

  // ------------------------------------------------------------------------------------------ life

  async start(): Promise<void> {
    if (this.#state !== "new") throw new EverstepError("INVALID_ARGUMENT", "a worker can be started once; make a new one");
    this.#state = "running";
    await this.#join();
    this.#hub.workers.add(this);
    this.#unwatch = this.store.watch((hint) => this.#hinted(hint));
    this.#tick();
    this.#claimSoon();
  }

  async #join(): Promise<void> {
    for (;;) {
      const askedAt = this.clock.monotonic();
      try {
        const lease = await this.store.join({ workflows: [...this.#definitions.values()].map(({ name, version }) => ({ name, version })), leaseMs: this.#leaseMs, host: hostname(), pid: process.pid });
        this.#outages.over();
        this.#lease = new HeldLease(this.clock, lease, askedAt, this.#leaseMs);
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || this.#state !== "running") throw error;
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
    this.#cancelDue?.();
    for (const activation of this.#held.values()) activation.drain(false);
    if (!(await this.#empty(graceMs))) {
      for (const activation of this.#held.values()) activation.drain(true);
      await this.#empty(ABORT_MS);
    }
    const living = [...this.#held.values()].map((activation) => activation.runId);
    if (living.length === 0) await this.#leave();
    else this.#givenUp = true;
    if (this.#givenUp) this.logger.warn("a worker stopped while bodies that ignore their signal still live; their runs stay owned until they settle", { runs: living });
    return living;
  }

  /** Waits until no run is held. */
  #empty(ms: number): Promise<boolean> {
    if (this.#held.size === 0 && this.#reserved === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const cancel = this.clock.after(ms, () => {
        this.#emptied = undefined;
        resolve(false);
      });
      this.#emptied = () => {
        cancel();
        resolve(true);
      };
    });
  }

  async #leave(): Promise<void> {
    this.#state = "stopped";
    this.#cancelTick?.();
    this.#unwatch?.();
    const lease = this.#lease;
    if (lease === undefined) return;
    await new Promise<void>((resolve) => {
      this.#hub.committer.submit({ write: { kind: "leave" }, writer: lease, settle: () => resolve(), fail: () => resolve() });
    });
  }

  // ------------------------------------------------------------------------------------------ the lease

  #tick(): void {
    this.#cancelTick = this.clock.after(TICK_MS, () => {
      this.#ticks += 1;
      if (this.#ticks % POLL_TICKS === 0) this.#claimSoon();
      if (!this.#renewing) void this.#renew();
      this.#tick();
    }, { unref: this.#givenUp });
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
      else await this.#fenced();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) this.logger.error(`the store can't be used: ${String(error)}`);
    } finally {
      this.#renewing = false;
    }
  }

  #renewed(lease: HeldLease, renewal: Renewal, askedAt: number): void {
    const wasGood = lease.good;
    lease.renewed(renewal, askedAt);
    if (!wasGood) this.#pumpAll();
    if (renewal.reaped > 0) this.#claimSoon();
    if (renewal.owned !== null) this.#compare(renewal.owned);
  }

  /** A run that the store says we own but that we do not hold (its claim's answer was lost) is given back, at the second look. */
  #compare(owned: NonNullable<Renewal["owned"]>): void {
    const orphans = new Set<string>();
    for (const { runId, attempt, inbox } of owned) {
      const activation = this.#held.get(runId);
      if (activation === undefined) {
        orphans.add(runId);
        if (this.#orphans.has(runId)) this.submit({ kind: "advance", runId, attempt, entries: [], then: { do: "release" } }, () => {});
      } else if (inbox > activation.machine.inbox.seen) this.wantInbox(activation);
    }
    this.#orphans = orphans;
  }

  /** Another worker took over: nothing of ours can be written any more. */
  async #fenced(): Promise<void> {
    this.#lease = undefined;
    this.logger.warn("this worker's lease was taken over, because it was silent for too long; its runs go on elsewhere, and it joins again");
    for (const activation of [...this.#held.values()]) activation.abandon();
    if (this.#state !== "running") return;
    await this.#join();
    this.#claimSoon();
  }

  // ------------------------------------------------------------------------------------------ claims

  #hinted(hint: Hint): void {
    if (hint.runIds === undefined) {
      for (const activation of this.#held.values()) this.#inboxes.add(activation);
      this.#claimSoon();
      return;
    }
    for (const runId of hint.runIds) {
      const activation = this.#held.get(runId);
      if (activation === undefined) this.#claimSoon();
      else if (!activation.lettingGo) this.wantInbox(activation);
    }
  }

  wantInbox(activation: Activation): void {
    this.#inboxes.add(activation);
    this.#claimSoon();
  }

  get #free(): number {
    return this.#concurrency - this.#held.size - this.#reserved;
  }

  #claimSoon(): void {
    if (this.#claiming) this.#claimAgain = true;
    else if (this.#state !== "stopped" && this.#state !== "new") void this.#claim();
  }

  async #claim(): Promise<void> {
    const limit = this.#state === "running" ? Math.max(0, this.#free) : 0;
    const inboxes = [...this.#inboxes].filter((activation) => !activation.over);
    this.#inboxes.clear();
    const lease = this.#lease;
    if (lease === undefined || !lease.good || (limit === 0 && inboxes.length === 0)) return;
    this.#claiming = true;
    this.#claimAgain = false;
    try {
      const result = await this.store.claim({
        worker: lease.worker,
        limit,
        workflows: [...this.#definitions.values()].map(({ name, version }) => ({ name, version })),
        except: [...this.#haunted].map((activation) => activation.runId),
        inboxes: inboxes.map((activation) => ({ runId: activation.runId, after: activation.machine.inbox.lastNo })),
      });
      this.#outages.over();
      if (this.#lease === lease) this.#claimed(lease, result, inboxes, limit);
    } catch (error) {
      for (const activation of inboxes) this.#inboxes.add(activation);
      if (!(error instanceof StoreUnavailableError)) this.logger.error(`runs can't be claimed: ${String(error)}`);
      await this.#outages.wait();
      this.#claimAgain = true;
    } finally {
      this.#claiming = false;
      if (this.#claimAgain) this.#claimSoon();
    }
  }

  #claimed(lease: HeldLease, result: Awaited<ReturnType<Store["claim"]>>, inboxes: readonly Activation[], limit: number): void {
    lease.synced(result.now);
    for (const claim of result.claims) this.#take(claim);
    for (const { runId, inbox, messages } of result.inboxes) this.#held.get(runId)?.addMessages(messages, inbox);
    const answered = new Set(result.inboxes.map(({ runId }) => runId));
    for (const activation of inboxes) if (!answered.has(activation.runId)) activation.wake();
    this.#moreDue = result.nextDueAt !== null && result.nextDueAt <= result.now;
    if (this.#moreDue && limit > 0 && this.#free > 0 && result.claims.length > 0) this.#claimAgain = true;
    this.#cancelDue?.();
    if (result.nextDueAt !== null && !this.#moreDue) {
      this.#cancelDue = this.clock.after(result.nextDueAt - result.now, () => this.#claimSoon(), { unref: true });
    }
  }

  #take(claim: Claim): void {
    const definition = this.#definitions.get(definitionKey(claim.run.workflow, claim.run.version));
    if (definition === undefined || this.#held.has(claim.run.id)) return;
    const activation = new Activation(this, claim, definition);
    this.#held.set(claim.run.id, activation);
    if (this.#state === "running") activation.begin();
    else activation.drain(false);
  }

  // ------------------------------------------------------------------------------------------ starts in this process

  reserve(workflow: string, version: string): Writer | undefined {
    if (this.#state !== "running" || this.#free <= 0 || this.#lease?.good !== true || this.#moreDue) return undefined;
    if (!this.#definitions.has(definitionKey(workflow, version))) return undefined;
    this.#reserved += 1;
    return this.#lease;
  }

  unreserve(): void {
    this.#reserved -= 1;
    this.#slotFree();
  }

  adopt(born: BornRun): void {
    this.#reserved -= 1;
    this.#take({
      run: {
        ...born,
        phase: "forward",
        end: null,
        owner: this.worker,
        attempt: 1,
        dueAt: null,
        stuck: null,
        result: null,
        error: null,
        inbox: 0,
        strikes: 0,
        strikesAlone: 0,
        interrupted: false,
        waits: [],
        startedAt: born.createdAt,
        endedAt: null,
      },
      journal: [],
      messages: [],
      retries: [],
    });
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
    this.#inboxes.delete(activation);
    if (activation.livingBodies > 0) this.#haunted.add(activation);
    if (how.how === "ended") this.#hub.results.ended(activation.runId, how);
    this.#slotFree();
  }

  bodiesGone(activation: Activation): void {
    this.#haunted.delete(activation);
    this.#claimSoon();
  }

  #slotFree(): void {
    if (this.#moreDue) this.#claimSoon();
    if (this.#state !== "stopping" || this.#held.size > 0 || this.#reserved > 0) return;
    if (this.#emptied === undefined && this.#givenUp) void this.#leave();
    this.#emptied?.();
    this.#emptied = undefined;
  }

  #pumpAll(): void {
    for (const activation of this.#held.values()) activation.wake();
  }
}

function definitionKey(name: string, version: string): string {
  return `${name}\n${version}`;
}
