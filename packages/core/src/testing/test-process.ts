/** The process of a worker under test, and the one that takes its place when it dies. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../context.ts";
import type { Codec } from "../engine/values.ts";
import { Worker } from "../runtime/worker.ts";
import type { Store } from "../store.ts";
import type { Workflow } from "../definition.ts";
import { recordCalls } from "./crash-store.ts";
import { processClock } from "./virtual-clock.ts";

export interface ProcessSetup<Tx> {
  readonly store: Store<Tx>;
  readonly clock: Clock;
  readonly workflows: readonly Workflow[];
  readonly leaseMs: number;
  readonly logger: Logger;
  readonly codec?: Codec;
  readonly concurrency?: number;
}

export class TestProcess<Tx> {
  readonly worker: Worker<Tx>;
  readonly #die: () => void;
  #dead = false;

  constructor({ store, clock, leaseMs, ...rest }: ProcessSetup<Tx>) {
    const own = processClock(clock);
    const door = recordCalls(store);
    this.worker = new Worker<Tx>({ ...rest, store: door, clock: own, lease: leaseMs });
    this.#die = () => {
      own.kill();
      door.kill();
    };
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** As by SIGKILL. What its bodies still do, nobody gets to know. */
  kill(): void {
    this.#dead = true;
    this.#die();
  }
}
