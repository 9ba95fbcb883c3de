import { setTimeout as delay } from "node:timers/promises";
import { type Client, RunStateError, StoreUnavailableError } from "@everstep/core";
import { CANARY } from "./canary.ts";
import type { Callers } from "./callers.ts";
import type { Random } from "../random.ts";
import type { Tally } from "./tally.ts";

export interface OperatorOptions {
  readonly client: Client;
  readonly callers: Callers;
  readonly open: ReadonlySet<string>;
  readonly random: Random;
  readonly tally: Tally;
}

const CALM_MIN_MS = 50;
const CALM_MAX_MS = 500;
/** Several people press the same button at once. */
const HANDS_MAX = 4;
const STUCK_MAX = 100;
const MEDDLED_MAX = 20;
const CANCELED_MAX = 3;
const PAUSED_MAX = 5;
/** A burst is so many signals at once to each of so many runs. */
const BURST_RUNS_MAX = 8;
const BURST_SIGNALS = 30;
/** Of the numbers from which their ids are made: many come more than once. */
const BURST_IDS = 20;
/** Beyond those of the runs' own callers. */
const BURST_FIRST_ID = 10;
/** The signals that workflows wait for, by the beginning of a run's id. */
const WAITED_FOR: Readonly<Partial<Record<string, string>>> = {
  gather: "approval",
  bell: "ring",
  crowd: "shout",
};

/** Looks after what is stuck; and presses buttons that it should not, many of them at once. */
export class Operator {
  readonly #options: OperatorOptions;

  constructor(options: OperatorOptions) {
    this.#options = options;
    options.tally.announce(
      "runs that were stuck",
      "runs resumed by several at once",
      "resumes of runs that are not stuck",
      "storms of cancels",
      "bursts of signals",
      "signals in bursts",
      "runs paused",
      "runs retried",
      "runs rewound",
    );
  }

  /** `meddling`: until then it does what it should not as well. */
  async work(until: AbortSignal, meddling: AbortSignal): Promise<void> {
    const { random } = this.#options;
    while (!until.aborted) {
      await this.#mend();
      await this.#regret();
      if (!meddling.aborted) await this.#meddle();
      await delay(random.between(CALM_MIN_MS, CALM_MAX_MS));
    }
  }

  async #mend(): Promise<void> {
    const { callers, random, tally } = this.#options;
    const stuck = await this.#waiting();
    tally.count("runs that were stuck", stuck.length);
    await Promise.all(
      stuck.map(async (id) => {
        const hands = random.between(1, HANDS_MAX);
        await Promise.all(Array.from({ length: hands }, () => callers.resume(id)));
        if (hands > 1) tally.count("runs resumed by several at once");
      }),
    );
  }

  /** Runs that only a person can move. */
  async #waiting(): Promise<readonly string[]> {
    const stuck = await this.#list({ status: "stuck" });
    return [...new Set([...stuck, ...(await this.#list({ paused: true }))])];
  }

  /** Those that have failed go back: to what failed, or to their beginning. */
  async #regret(): Promise<void> {
    const { client, random, tally } = this.#options;
    for (const id of await this.#list({ status: "failed", workflow: "regret" })) {
      const isRetried = random.chance(0.6);
      try {
        if (isRetried) await client.runs.retry(id, { because: `it is mended, ${CANARY}` });
        else await client.runs.rewind(id, { to: "ponder" });
        tally.count(isRetried ? "runs retried" : "runs rewound");
      } catch (error) {
        // It may be done, and nobody knows: then it is not found again.
        if (!(error instanceof StoreUnavailableError || error instanceof RunStateError)) throw error;
      }
    }
  }

  async #list(filter: NonNullable<Parameters<Client["runs"]["list"]>[0]>): Promise<readonly string[]> {
    try {
      const { runs } = await this.#options.client.runs.list({ ...filter, limit: STUCK_MAX });
      return runs.map(({ id }) => id);
    } catch (error) {
      if (error instanceof StoreUnavailableError) return [];
      throw error;
    }
  }

  #meddle(): Promise<void> {
    switch (this.#options.random.pick(["burst", "resume", "cancel", "pause", "nothing", "nothing"])) {
      case "burst":
        return this.#burst();
      case "resume":
        return this.#resumeAnything();
      case "cancel":
        return this.#cancelStorm();
      case "pause":
        return this.#pauseSome();
      default:
        return Promise.resolve();
    }
  }

  async #burst(): Promise<void> {
    const { callers, random, tally } = this.#options;
    const waiting = this.#some(BURST_RUNS_MAX, (id) => signalFor(id) !== undefined);
    const signals = waiting.flatMap((id) =>
      Array.from({ length: BURST_SIGNALS }, () => ({
        id,
        name: signalFor(id) ?? "",
        no: BURST_FIRST_ID + random.between(0, BURST_IDS - 1),
      })),
    );
    await Promise.all(signals.map(({ id, name, no }) => callers.signal(id, name, no)));
    if (signals.length > 0) tally.count("bursts of signals");
    tally.count("signals in bursts", signals.length);
  }

  async #resumeAnything(): Promise<void> {
    const { callers, tally } = this.#options;
    const runs = this.#some(MEDDLED_MAX);
    const outcomes = await Promise.all([...runs, ...runs].map((id) => callers.resume(id)));
    const refused = outcomes.filter((outcome) => outcome === "refused");
    tally.count("resumes of runs that are not stuck", refused.length);
  }

  /** They are resumed with those that are stuck. */
  async #pauseSome(): Promise<void> {
    const { callers, tally } = this.#options;
    const outcomes = await Promise.all(this.#some(PAUSED_MAX).map((id) => callers.pause(id)));
    tally.count("runs paused", outcomes.filter((outcome) => outcome === "ok").length);
  }

  /** With and without undoing what they did, in no order. */
  async #cancelStorm(): Promise<void> {
    const { callers, random, tally } = this.#options;
    const runs = this.#some(CANCELED_MAX);
    const hands = runs.flatMap((id) => Array.from({ length: random.between(1, HANDS_MAX) }, () => id));
    await Promise.all(hands.map((id) => callers.cancel(id, random.chance(0.5))));
    if (runs.length > 0) tally.count("storms of cancels");
  }

  #some(max: number, fits: (id: string) => boolean = () => true): readonly string[] {
    const { open, random } = this.#options;
    return random.shuffled([...open].filter(fits)).slice(0, max);
  }
}

function signalFor(id: string): string | undefined {
  return WAITED_FOR[id.split("-")[0] ?? ""];
}
