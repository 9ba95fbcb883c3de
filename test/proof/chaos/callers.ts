import { setTimeout as delay } from "node:timers/promises";
import { type Client, RunEndedError, RunNotFoundError, type RunHandle } from "@everstep/core";
import type { Random } from "./random.ts";
import { type Name, NAMES, type Input, PATIENCE_MS, type Workflows } from "./workflows.ts";
import type { Answer, WorkerSlot } from "./worker-slot.ts";

/** One request to start a run, as its caller remembers it. */
export interface StartRecord {
  readonly id: string;
  readonly workflow: Name;
  /** Through the test's own client, or a worker's process; there also within a transaction of the application. */
  readonly via: "client" | "worker" | "tx";
  /** How each try came out. A caller may lose patience after an unknown one. */
  readonly tries: ("ok" | "unknown")[];
  /** Somebody has asked for the run to be canceled. */
  isCanceled?: true;
}

/** One signal, as its sender remembers it. `late`: refused, for the run had ended. */
export interface SignalRecord {
  readonly run: string;
  readonly name: string;
  readonly payload: string;
  readonly outcome: "ok" | "late";
}

export interface CallersOptions {
  readonly client: Client;
  readonly workflows: Workflows;
  readonly slots: readonly [WorkerSlot, ...WorkerSlot[]];
  readonly random: Random;
  readonly callers: number;
  /** How many runs that have not ended there may be. */
  readonly openMax: number;
  readonly countOpen: () => number;
  readonly onStarting: (id: string) => void;
  /** No answer, and the caller does not ask again. */
  readonly onGivenUp: (id: string) => Promise<void>;
}

const TRIES_MAX = 50;
/** A caller that has no answer for so long asks again, maybe somebody else. */
const ANSWER_MS = 1_000;
/** Probabilities. */
const CANCELED: Readonly<Partial<Record<Name, number>>> = { saga: 0.25, gather: 0.1 };
const RUNG = 0.5;
const FOLLOW_MAX_MS = 150;
/** Often after the wait has been given up, and sometimes after the run's end. */
const RING_MAX_MS = 3 * PATIENCE_MS;

/** Starts runs, tries again when it does not know, signals and cancels them; and remembers what it was told. */
export class Callers {
  readonly #options: CallersOptions;
  readonly starts: StartRecord[] = [];
  readonly signals: SignalRecord[] = [];
  readonly problems: string[] = [];
  readonly #followUps: Promise<void>[] = [];
  accepted = 0;
  #closed = false;

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** Settles after `close`, when every request has had its answer. */
  async call(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.callers }, () => this.#callUntilClosed()));
    await Promise.all(this.#followUps);
  }

  close(): void {
    this.#closed = true;
  }

  /** Who got no answer does not know that the run was started after all, and that it waits. */
  async followUnanswered(): Promise<void> {
    const unanswered = this.starts.filter(({ tries }) => !tries.includes("ok"));
    await Promise.all(unanswered.map((start) => this.#follow(start)));
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
      start.tries.push(answer);
      if (answer === "ok" || random.chance(0.2)) break;
    }
    // Some ask twice, although they were told.
    if (random.chance(0.05)) await this.#try(start, { no });
    if (start.tries.includes("ok")) this.accepted += 1;
    else await onGivenUp(id);
    this.#followUps.push(this.#follow(start));
  }

  async #try(start: StartRecord, input: Input): Promise<"ok" | "unknown"> {
    const answered = this.#ask(start, input).then((answer) => {
      if (typeof answer === "string") return answer;
      this.problems.push(`P1 ${start.id}: start failed: ${answer.error}`);
      return "unknown";
    });
    const patience = new AbortController();
    const impatient = delay(ANSWER_MS, "unknown" as const, { signal: patience.signal });
    impatient.catch(() => {});
    try {
      return await Promise.race([answered, impatient]);
    } finally {
      patience.abort();
    }
  }

  async #ask({ id, workflow, via }: StartRecord, input: Input): Promise<Answer> {
    const { client, workflows, slots, random } = this.#options;
    if (via !== "client") return random.pick(slots).request({ id, workflow, input, inTx: via === "tx" });
    try {
      await client.start(workflows[workflow], input, { id });
      return "ok";
    } catch (error) {
      return { error: String(error) };
    }
  }

  /** What a run needs from outside. */
  async #follow(start: StartRecord): Promise<void> {
    const { client, random } = this.#options;
    const { id, workflow } = start;
    const run = client.get(id);
    const times = random.between(1, 2);
    const isCanceled = random.chance(CANCELED[workflow] ?? 0);
    const isRung = random.chance(RUNG);
    const cancelMs = random.between(0, FOLLOW_MAX_MS);
    await delay(random.between(0, workflow === "bell" ? RING_MAX_MS : FOLLOW_MAX_MS));
    if (workflow === "gather")
      for (let time = 0; time < times; time++) await this.#signal(run, start, "approval", 0);
    // Two rings are two signals, of which one wait takes one.
    if (workflow === "bell" && isRung)
      for (let ring = 0; ring < times; ring++) await this.#signal(run, start, "ring", ring);
    if (!isCanceled || start.isCanceled === true) return;
    await delay(cancelMs);
    start.isCanceled = true;
    await this.#answerOf(start, run.cancel());
  }

  async #signal(run: RunHandle, start: StartRecord, name: string, no: number): Promise<void> {
    const payload = signalOf(name, run.id, no);
    const outcome = await this.#answerOf(start, run.signal(name, payload, { id: `${run.id}:${name}:${no}` }));
    if (outcome !== undefined) this.signals.push({ run: run.id, name, payload, outcome });
  }

  /** Undefined: there is no such run, and nobody was told that there is. */
  async #answerOf({ id, tries }: StartRecord, asked: Promise<void>): Promise<"ok" | "late" | undefined> {
    try {
      await asked;
      return "ok";
    } catch (error) {
      if (error instanceof RunEndedError) return "late";
      const neverStarted = error instanceof RunNotFoundError && !tries.includes("ok");
      if (!neverStarted) this.problems.push(`P7 ${id}: ${String(error)}`);
      return undefined;
    }
  }
}

/** What a signal of a run carries. */
function signalOf(name: string, run: string, no: number): string {
  return `${name} ${no} of ${run}`;
}
