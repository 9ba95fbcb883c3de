/** One simulated process: its clock, its way to the store, a worker and a client, and what befalls it. */
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../context.ts";
import { Client } from "../../runtime/client.ts";
import { Worker } from "../../runtime/worker.ts";
import type { Store } from "../../store.ts";
import type { AnyWorkflow, Workflow } from "../../definition.ts";
import { aroundBodies, type BodyCall } from "../around-bodies.ts";
import { type CrashStore, mortalStore } from "../crash-store.ts";
import type { MemoryTx } from "../memory/transaction.ts";
import { type ProcessClock, processClock } from "../virtual-clock.ts";
import { type Caller, worldOf } from "./effects.ts";
import { type CallFault, type EffectFault, blowOf } from "./faults.ts";
import { Freezer } from "./freezer.ts";
import { isThenable } from "./world-values.ts";

/** Decides what befalls a process. Calls and effects are numbered from 1, in the order of the process. */
export interface Nemesis {
  atCall(process: number, no: number): CallFault | undefined;
  atEffect(process: number, no: number, when: EffectFault): boolean;
  /** For how long a process is frozen. */
  frozenMs(): number;
}

/** A process, as the workflows in it may know it. */
export interface ProcessView {
  /** By birth, from 1. */
  readonly no: number;
  readonly isDead: boolean;
  /** How often its lease may have passed without its knowledge: it was frozen, or the store's clock jumped. */
  readonly lapses: number;
}

export interface ProcessSetup {
  readonly no: number;
  /** The world's time. */
  readonly clock: Clock;
  readonly store: Store<MemoryTx>;
  readonly nemesis: Nemesis;
  readonly leaseMs: number;
  readonly concurrency: number | undefined;
  readonly logger: Logger;
  /** Without one, the bodies are the effects. */
  readonly hasWorld: boolean;
  /** How long an answer of the world is under way; undefined: no time. */
  readonly answerMs: (() => number) | undefined;
  /** In a world too. */
  readonly waitsForBodies: boolean;
  /** What happened, for the trace. */
  readonly happened: (what: string) => void;
  readonly bodyBegins: (process: number, call: BodyCall) => void;
  /** It takes real time; unless it is held. */
  readonly pending: (what: string, call: PromiseLike<unknown>, isHeld?: () => boolean) => void;
}

const never = (): Promise<never> => new Promise(() => {});

export class SimulatedProcess implements Caller, ProcessView {
  readonly no: number;
  readonly clock: Clock;
  readonly store: Store<MemoryTx>;
  readonly client: Client<MemoryTx>;
  /** Settles when it has died. */
  readonly died: Promise<void>;
  /** Settles when its worker has joined. */
  started: Promise<void> = never();
  readonly effects: string[] = [];
  lapses = 0;
  readonly #setup: ProcessSetup;
  readonly #own: ProcessClock;
  readonly #mortal: CrashStore<MemoryTx>;
  readonly #freezer = new Freezer();
  #calls = 0;
  #sayDied: () => void = () => {};

  constructor(setup: ProcessSetup) {
    this.no = setup.no;
    this.#setup = setup;
    this.died = new Promise((resolve) => {
      this.#sayDied = resolve;
    });
    this.#own = processClock(setup.clock);
    this.clock = this.#freezer.clock(this.#own);
    let next: CallFault | undefined;
    this.#mortal = mortalStore(setup.store, {
      befalls: (no, call) => {
        const how = next;
        next = undefined;
        setup.happened(`process ${this.no} call ${no} ${how ?? "made"}: ${call}`);
        return blowOf(how);
      },
      onCrash: () => this.#end(),
    });
    this.store = this.#freezer.store(this.#mortal, () => {
      if (this.isDead) return undefined;
      this.#calls += 1;
      next = setup.nemesis.atCall(this.no, this.#calls);
      if (next !== "frozen" && next !== "late") return undefined;
      this.freeze();
      return next === "late" ? next : undefined;
    });
    this.client = new Client<MemoryTx>({ store: this.store, clock: this.clock });
  }

  /** Counted calls of the store. */
  get calls(): readonly string[] {
    return this.#mortal.calls;
  }

  get isDead(): boolean {
    return this.#mortal.dead;
  }

  get isFrozen(): boolean {
    return this.#freezer.frozen;
  }

  /** Somebody else has to go on. */
  get isGone(): boolean {
    return this.isDead || this.isFrozen;
  }

  /** Joins with these workflows, whose world it reaches as itself. */
  begin(workflows: readonly AnyWorkflow[]): void {
    const { leaseMs, concurrency, logger } = this.#setup;
    const worker = new Worker<MemoryTx>({
      store: this.store,
      clock: this.clock,
      workflows: workflows.map((workflow) => this.#instrumented(workflow as unknown as Workflow)),
      lease: leaseMs,
      logger,
      ...(concurrency === undefined ? {} : { concurrency }),
    });
    this.started = worker.start();
    this.started.catch(() => {});
  }

  view<W>(world: W): W {
    return worldOf(world, this);
  }

  kill(): void {
    this.#mortal.kill();
  }

  freeze(): void {
    this.lapses += 1;
    this.#freezer.freeze();
    this.#setup.clock.after(this.#setup.nemesis.frozenMs(), () => this.thaw());
  }

  thaw(): void {
    if (!this.isFrozen) return;
    this.#setup.happened(`process ${this.no} thawed`);
    this.#freezer.thaw(this.#own);
  }

  thawed(): Promise<void> | undefined {
    return this.isFrozen ? new Promise((resolve) => this.#freezer.run(resolve)) : undefined;
  }

  answerArrives(): Promise<void> | undefined {
    const ms = this.#setup.answerMs?.();
    if (ms === undefined) return undefined;
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }

  begins(effect: string): { readonly dies: boolean; readonly diesAfter: () => boolean } {
    const no = this.effects.push(effect);
    this.#setup.happened(`process ${this.no} effect ${no}: ${effect}`);
    return { dies: this.#dies(no, "before"), diesAfter: () => this.#dies(no, "after") };
  }

  pending(effect: string, call: PromiseLike<unknown>): void {
    this.#setup.pending(effect, call);
  }

  #dies(no: number, when: EffectFault): boolean {
    if (this.isDead) return true;
    if (!this.#setup.nemesis.atEffect(this.no, no, when)) return false;
    this.kill();
    return true;
  }

  #end(): void {
    this.#setup.happened(`process ${this.no} died`);
    this.#own.kill();
    this.#sayDied();
  }

  #instrumented(workflow: Workflow): Workflow {
    return aroundBodies(workflow, (call, body) => {
      if (this.isDead) return never();
      if (this.#setup.hasWorld) {
        this.#setup.bodyBegins(this.no, call);
        return this.#bodyOf(call, body);
      }
      return this.#effectOf(call, body);
    });
  }

  /** It may do more than what it calls of the world, and that takes its time; dead, it never ends. */
  #bodyOf({ kind, name }: BodyCall, body: () => unknown): unknown {
    const result = body();
    const { waitsForBodies, pending } = this.#setup;
    if (result instanceof Promise)
      pending(`${kind} ${name}`, Promise.race([result, this.died]), () => this.isFrozen || !waitsForBodies);
    return result;
  }

  #effectOf(call: BodyCall, body: () => unknown): unknown {
    const what = `${call.kind} ${call.name}`;
    const { dies, diesAfter } = this.begins(what);
    if (dies) return never();
    this.#setup.bodyBegins(this.no, call);
    const result = resultOf(body);
    if (!isThenable(result)) return diesAfter() ? never() : result;
    const promise = Promise.resolve(result);
    this.pending(what, promise);
    return promise.then(
      (value: unknown) => (diesAfter() ? never() : value),
      (error: unknown) => {
        if (diesAfter()) return never();
        throw error;
      },
    );
  }
}

function resultOf(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return Promise.resolve().then(() => {
      throw error;
    });
  }
}
