/** What a simulation is made of, and what the outside world can do in it. */
import type { Clock } from "../../clock.ts";
import type { Duration, Logger } from "../../context.ts";
import type { Client, StartOptions } from "../../runtime/client.ts";
import type { RunHandle } from "../../runtime/run-handle.ts";
import type { Entry } from "../../store.ts";
import type { AnyWorkflow, Workflow } from "../../definition.ts";
import type { MemoryStore } from "../memory-store.ts";
import type { MemoryTx } from "../memory/transaction.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { RandomNemesis } from "./nemesis.ts";
import type { Patience } from "./pending-calls.ts";
import type { Nemesis, ProcessView } from "./process.ts";

/** What a world is made with. */
export interface WorldSetup {
  /** Virtual: what the world waits for by this clock passes with the simulation. */
  readonly clock: Clock;
  /** What is durable of a run's journal at this moment. */
  readonly journal: (runId: string) => readonly Entry[];
  /** How many failed attempts are stored of a step that has not settled; of its undo under `<key>#undo`. */
  readonly failures: (runId: string, key: string) => number;
}

/** The outside world's part: what people and other programs do while processes die. */
export interface Outside<W = unknown> {
  /** As it is, without crashes: what is called here does not count as an effect. */
  readonly world: W;
  readonly clock: VirtualClock;
  /** Never fails. */
  readonly store: MemoryStore;
  /** A client in a process that never dies. */
  readonly client: Client<MemoryTx>;
  /** Starts a run through one of the processes, and again with the same id through another one as often as it takes. */
  readonly start: <I, O>(
    workflow: Workflow<I, O>,
    input: I,
    options?: Omit<StartOptions<MemoryTx>, "tx">,
  ) => Promise<RunHandle<O>>;
  /** Lets time pass. */
  readonly sleep: (duration: Duration) => Promise<void>;
  /** Lets time pass until it holds. */
  readonly until: (condition: () => boolean) => Promise<void>;
  /** What is durable of a run's journal at this moment. */
  readonly journal: (runId: string) => readonly Entry[];
  /** In [0, 1), drawn by the seed. */
  readonly random: () => number;
}

export interface SimulationSetup<W> {
  readonly workflows: (world: W, process: ProcessView) => readonly AnyWorkflow[];
  readonly world: ((setup: WorldSetup) => W) | undefined;
  readonly drive: (outside: Outside<W>) => Promise<void>;
  /** What a person does about a stuck run. */
  readonly mend: ((outside: Outside<W>, runId: string) => Promise<void>) | undefined;
  /** Payloads of the signals that the outside sends once a run waits for them, by name. */
  readonly signals: Readonly<Record<string, unknown>>;
  readonly workers: number;
  readonly seed: string;
  readonly nemesis: Nemesis;
  /** Draws delays, lost hints, jumps of the clock and births; without it nothing of that happens. */
  readonly chaos: RandomNemesis | undefined;
  /** After so much virtual time nothing is broken any more; then all must end within `patienceMs`. */
  readonly healAfterMs: number;
  readonly patienceMs: number;
  /** When nothing happens for longer than that, all processes rest until it does. */
  readonly restMs: number;
  /** With what takes real time. */
  readonly patience: Patience;
  readonly leaseMs: number;
  readonly concurrency: number | undefined;
  readonly hints: boolean;
  readonly logger: Logger;
  readonly trace: boolean;
}
