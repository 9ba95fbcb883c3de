import { setTimeout as delay } from "node:timers/promises";
import { CANARY } from "./canary.ts";
import type { Random } from "../random.ts";
import { type Answer, type Asked, answerTo, type Request } from "./requests.ts";
import { type Name, NAMES, PATIENCE_MS, SHOUTS } from "./steps.ts";
import type { Stripe } from "./stripe.ts";
import type { WorkerSlot } from "./worker-slot.ts";

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
  readonly outcome: "ok" | "late" | "unknown";
}

/** An order of a person. `late`: refused, for the run had ended; `refused`: it was not in a state for it. */
export interface OrderRecord {
  readonly run: string;
  readonly wish: "cancel" | "resume" | "pause";
  readonly outcome: "ok" | "late" | "refused" | "unknown";
}

export interface CallersOptions extends Asked {
  readonly slots: readonly [WorkerSlot, ...WorkerSlot[]];
  readonly stripe: Stripe;
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
const CANCELED: Readonly<Partial<Record<Name, number>>> = {
  saga: 0.25,
  gather: 0.1,
  ship: 0.15,
  paid: 0.15,
  brittle: 0.1,
  grave: 0.1,
  family: 0.2,
};
/** Families twice: only they come to some of the points at which processes are made to die. */
const STARTED = [...NAMES, "family"] as const;
const UNDONE = 0.75;
const RUNG = 0.5;
const TROUBLED = 0.3;
const OWN_CLIENT = 0.4;
const FOLLOW_MAX_MS = 150;
/** Often after the wait has been given up, and sometimes after the run's end. */
const RING_MAX_MS = 3 * PATIENCE_MS;
/** What everstep's refusals mean to whoever asked. */
const REFUSALS: Readonly<Record<string, "late" | "refused">> = { RUN_ENDED: "late", RUN_STATE: "refused" };

/** Starts runs, tries again when it does not know, signals and cancels them; and remembers what it was told. */
export class Callers {
  readonly #options: CallersOptions;
  readonly starts: StartRecord[] = [];
  readonly signals: SignalRecord[] = [];
  readonly orders: OrderRecord[] = [];
  readonly problems: string[] = [];
  readonly #startOf = new Map<string, StartRecord>();
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

  /** One signal. Who does not know whether it was accepted asks again under the same id, as does who sends it twice. */
  async signal(run: string, name: string, no: number): Promise<void> {
    const payload = `${name} ${no} of ${run}, ${CANARY}`;
    const request = { wish: "signal", id: run, name, payload, signalId: `${run}:${name}:${no}` } as const;
    const outcome = await this.#outcomeOf(request, TRIES_MAX);
    if (outcome === "refused") this.problems.push(`P7 ${run}: refused ${payload}`);
    else if (outcome !== undefined) this.signals.push({ run, name, payload, outcome });
  }

  /** Asked again until it is known: a second order to cancel is no other one. */
  async cancel(run: string, compensate: boolean): Promise<void> {
    const start = this.#startOf.get(run);
    if (start !== undefined) start.isCanceled = true;
    const outcome = await this.#outcomeOf({ wish: "cancel", id: run, compensate }, TRIES_MAX);
    if (outcome !== undefined) this.orders.push({ run, wish: "cancel", outcome });
  }

  /** Asked once: who does not know looks at the run. */
  async resume(run: string): Promise<OrderRecord["outcome"] | undefined> {
    const because = `looked at it, ${CANARY}`;
    const outcome = await this.#outcomeOf({ wish: "resume", id: run, because }, 1);
    if (outcome !== undefined) this.orders.push({ run, wish: "resume", outcome });
    return outcome;
  }

  /** Asked once. It lasts until somebody resumes the run. */
  async pause(run: string): Promise<OrderRecord["outcome"] | undefined> {
    // Before it is asked: who does not know has paused it, maybe.
    this.orders.push({ run, wish: "pause", outcome: "unknown" });
    return this.#outcomeOf({ wish: "pause", id: run, because: `wants to look at it, ${CANARY}` }, 1);
  }

  async #callUntilClosed(): Promise<void> {
    const { countOpen, openMax } = this.#options;
    while (!this.#closed) {
      if (countOpen() >= openMax) await delay(5);
      else await this.#start();
    }
  }

  async #start(): Promise<void> {
    const { random, stripe, onStarting, onGivenUp } = this.#options;
    const no = this.starts.length;
    const workflow = random.pick(STARTED);
    const id = `${workflow}-${no}`;
    const via = random.pick(["client", "worker", "worker", "tx"]);
    const start: StartRecord = { id, workflow, via, tries: [] };
    this.starts.push(start);
    this.#startOf.set(id, start);
    if (workflow === "paid" && random.chance(TROUBLED)) await stripe.trouble(id, random);
    onStarting(id);
    while (start.tries.length < TRIES_MAX) {
      const answer = await this.#try(start, no);
      start.tries.push(answer);
      if (answer === "ok" || random.chance(0.2)) break;
    }
    // Some ask twice, although they were told.
    if (random.chance(0.05)) await this.#try(start, no);
    if (start.tries.includes("ok")) this.accepted += 1;
    else await onGivenUp(id);
    this.#followUps.push(this.#follow(start));
  }

  async #try({ id, workflow, via }: StartRecord, no: number): Promise<"ok" | "unknown"> {
    const input = { no, secret: CANARY };
    const request = { wish: "start", id, workflow, input, inTx: via === "tx" } as const;
    const answer = await this.#ask(request, via === "client");
    if (typeof answer === "string") return answer;
    this.problems.push(`P1 ${id}: start failed: ${answer.error}`);
    return "unknown";
  }

  async #ask(request: Request, isOwn: boolean = this.#options.random.chance(OWN_CLIENT)): Promise<Answer> {
    const { slots, random } = this.#options;
    const answered = isOwn ? answerTo(request, this.#options) : random.pick(slots).request(request);
    const patience = new AbortController();
    const impatient = delay(ANSWER_MS, "unknown" as const, { signal: patience.signal });
    impatient.catch(() => {});
    try {
      return await Promise.race([answered, impatient]);
    } finally {
      patience.abort();
    }
  }

  /** Undefined: there is no such run, and nobody was told that there is. */
  async #outcomeOf(request: Request, triesMax: number): Promise<OrderRecord["outcome"] | undefined> {
    for (let tries = 1; ; tries++) {
      const isThere = this.#startOf.get(request.id)?.tries.includes("ok") === true;
      const answer = await this.#ask(request);
      if (answer === "ok") return answer;
      // An earlier try may have been accepted before the run ended, or may still be on its way to a run that is not there yet.
      if (answer === "unknown") {
        if (tries >= triesMax) return answer;
        continue;
      }
      const { code, error } = answer;
      if (code === "RUN_NOT_FOUND" && !isThere) return tries > 1 ? "unknown" : undefined;
      const refusal = REFUSALS[code];
      if (refusal === undefined) this.problems.push(`P7 ${request.id}: ${request.wish}: ${error}`);
      return refusal !== undefined && tries > 1 ? "unknown" : refusal;
    }
  }

  /** What a run needs from outside. */
  async #follow({ id, workflow, isCanceled }: StartRecord): Promise<void> {
    const { random } = this.#options;
    const times = random.between(1, 2);
    const isToCancel = isCanceled !== true && random.chance(CANCELED[workflow] ?? 0);
    const isRung = random.chance(RUNG);
    const [cancelMs, compensate] = [random.between(0, FOLLOW_MAX_MS), random.chance(UNDONE)];
    await delay(random.between(0, workflow === "bell" ? RING_MAX_MS : FOLLOW_MAX_MS));
    if (workflow === "gather") for (let time = 0; time < times; time++) await this.signal(id, "approval", 0);
    // Two rings are two signals, of which one wait takes one.
    if (workflow === "bell" && isRung)
      for (let ring = 0; ring < times; ring++) await this.signal(id, "ring", ring);
    if (workflow === "crowd") for (let no = 0; no < SHOUTS; no++) await this.signal(id, "shout", no);
    if (!isToCancel) return;
    await delay(cancelMs);
    await this.cancel(id, compensate);
  }
}
