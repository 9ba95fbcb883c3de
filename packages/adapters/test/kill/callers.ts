import { setTimeout as delay } from "node:timers/promises";
import { type Client, RunEndedError, RunNotFoundError, type RunHandle } from "@everstep/core";
import type { Random } from "./random.ts";
import { type Name, NAMES, type Input, type workflowsOf } from "./workflows.ts";
import type { Answer, WorkerSlot } from "./worker-slot.ts";

/** One request to start a run, as its caller remembers it. */
export interface StartRecord {
  readonly id: string;
  readonly workflow: Name;
  /** Through the test's own client, or a worker's process; there also within a transaction of the application. */
  readonly via: "client" | "worker" | "tx";
  /** How each try came out. A caller may lose patience after an unknown one. */
  readonly tries: ("ok" | "unknown")[];
}

export interface CallersOptions {
  readonly client: Client;
  readonly workflows: ReturnType<typeof workflowsOf>;
  readonly slots: readonly [WorkerSlot, WorkerSlot];
  readonly random: Random;
  /** How many runs that have not ended there may be. */
  readonly openMax: number;
  readonly countOpen: () => number;
  readonly onStarting: (id: string) => void;
  /** No answer, and the caller does not ask again. */
  readonly onGivenUp: (id: string) => Promise<void>;
}

const CALLERS = 6;
const TRIES_MAX = 50;

/** Starts runs, tries again when it does not know, signals and cancels them; and remembers what it was told. */
export class Callers {
  readonly #options: CallersOptions;
  readonly starts: StartRecord[] = [];
  readonly problems: string[] = [];
  readonly #followUps: Promise<void>[] = [];
  #closed = false;

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** Settles after `close`, when every request has had its answer. */
  async call(): Promise<void> {
    await Promise.all(Array.from({ length: CALLERS }, () => this.#callUntilClosed()));
    await Promise.all(this.#followUps);
  }

  close(): void {
    this.#closed = true;
  }

  async #callUntilClosed(): Promise<void> {
    const { countOpen, openMax } = this.#options;
    while (!this.#closed) {
      if (countOpen() >= openMax) await delay(5);
      else await this.#start();
    }
  }

  async #start(): Promise<void> {
    const { random, onStarting, onGivenUp } = this.#options;
    const no = this.starts.length;
    const workflow = random.pick(NAMES);
    const id = `${workflow}-${no}`;
    const via = random.pick(["client", "worker", "worker", "tx"]);
    const start: StartRecord = { id, workflow, via, tries: [] };
    this.starts.push(start);
    onStarting(id);
    while (start.tries.length < TRIES_MAX) {
      const answer = await this.#try(start, { no });
      if (answer === "ok" || answer === "unknown") start.tries.push(answer);
      else this.problems.push(`P1 ${id}: start failed: ${answer.error}`);
      if (answer === "ok" || random.chance(0.2)) break;
    }
    // Some ask twice, although they were told.
    if (random.chance(0.05)) await this.#try(start, { no });
    if (!start.tries.includes("ok")) await onGivenUp(id);
    this.#followUps.push(this.#follow(start));
  }

  async #try({ id, workflow, via }: StartRecord, input: Input): Promise<Answer> {
    const { client, workflows, slots, random } = this.#options;
    if (via !== "client") return random.pick(slots).request({ id, workflow, input, inTx: via === "tx" });
    await client.start(workflows[workflow], input, { id });
    return "ok";
  }

  /** What a run needs from outside. */
  async #follow(start: StartRecord): Promise<void> {
    const { client, random } = this.#options;
    const { id, workflow, tries } = start;
    const run = client.get(id);
    const times = random.between(1, 2);
    const isCanceled = random.chance(0.25);
    await delay(random.between(0, 150));
    try {
      if (workflow === "gather") for (let time = 0; time < times; time++) await this.#approve(run);
      if (workflow === "saga" && isCanceled) await run.cancel();
    } catch (error) {
      const isLate = error instanceof RunEndedError;
      const neverStarted = error instanceof RunNotFoundError && !tries.includes("ok");
      if (!isLate && !neverStarted) this.problems.push(`P7 ${id}: ${String(error)}`);
    }
  }

  #approve(run: RunHandle): Promise<void> {
    return run.signal("approval", approvalOf(run.id), { id: `${run.id}:approval` });
  }
}

/** What the signal of a run carries. */
export function approvalOf(id: string): string {
  return `approval of ${id}`;
}
