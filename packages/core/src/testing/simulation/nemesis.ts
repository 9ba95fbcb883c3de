/** Who decides what befalls the processes of a simulation. */
import type { Prng } from "../../engine/prng.ts";
import type { CallFault, EffectFault, FaultPlan } from "./faults.ts";
import type { Nemesis } from "./process.ts";

/** Hits each process as planned. */
export function plannedNemesis(plan: FaultPlan, frozenMs: number): Nemesis {
  return {
    atCall: (process, no) => {
      const fault = plan[process - 1];
      return fault?.point === "call" && fault.at === no ? fault.how : undefined;
    },
    atEffect: (process, no, when) => {
      const fault = plan[process - 1];
      return fault?.point === "effect" && fault.at === no && fault.how === when;
    },
    frozenMs: () => frozenMs,
  };
}

/** How often what happens: chances between 0 and 1, of each call of the store or each effect. */
export interface FaultRates {
  /** Death at a call, before or after it. Default 0.01. */
  readonly crash?: number;
  /** Death at an effect, before or after it. Default 0.02. */
  readonly effectCrash?: number;
  /** The answer to a call is lost, applied or not. Default 0.01. */
  readonly lostAnswer?: number;
  /** The process is frozen, for up to three leases. Default 0.005. */
  readonly freeze?: number;
  /** The store's clock jumps, forward by up to two leases or back by up to one. Default 0.003. */
  readonly clockJump?: number;
  /** A hint is lost. Default 0.2. */
  readonly lostHint?: number;
  /** A call of the store or its answer, or an answer of the world, takes up to two leases instead of some milliseconds. Default 0.005. */
  readonly delay?: number;
}

const DEFAULT_RATES: Required<FaultRates> = {
  crash: 0.01,
  effectCrash: 0.02,
  lostAnswer: 0.01,
  freeze: 0.005,
  clockJump: 0.003,
  lostHint: 0.2,
  delay: 0.005,
};

export const NO_FAULTS: Required<FaultRates> = {
  crash: 0,
  effectCrash: 0,
  lostAnswer: 0,
  freeze: 0,
  clockJump: 0,
  lostHint: 0,
  delay: 0,
};

const FAST_MS = 3;
const FREEZE_LEASES_MIN = 0.3;
const FREEZE_LEASES_MAX = 3;

/** Draws by a seed. Everything of a simulation that is drawn is drawn here, in one order. */
export class RandomNemesis implements Nemesis {
  readonly #random: Prng;
  readonly #leaseMs: number;
  #rates: Required<FaultRates>;
  readonly counts: Record<string, number> = {};

  constructor(random: Prng, rates: FaultRates, leaseMs: number) {
    this.#random = random;
    this.#rates = { ...DEFAULT_RATES, ...rates };
    this.#leaseMs = leaseMs;
  }

  /** From now on nothing is broken. */
  heal(): void {
    this.#rates = NO_FAULTS;
  }

  atCall(): CallFault | undefined {
    const { crash, lostAnswer, freeze } = this.#rates;
    const drawn = this.#random.next();
    if (drawn < crash) return this.#count(this.#either("before", "after"));
    if (drawn < crash + lostAnswer) return this.#count(this.#either("lost", "refused"));
    if (drawn < crash + lostAnswer + freeze) return this.#count(this.#either("frozen", "late"));
    return undefined;
  }

  atEffect(_process: number, _no: number, when: EffectFault): boolean {
    const dies = this.#random.next() < this.#rates.effectCrash / 2;
    if (dies) this.count(`effect ${when}`);
    return dies;
  }

  frozenMs(): number {
    return this.#leaseMs * this.between(FREEZE_LEASES_MIN, FREEZE_LEASES_MAX);
  }

  /** By how much the store's clock jumps now, if at all. */
  clockJumpMs(): number {
    if (this.#random.next() >= this.#rates.clockJump) return 0;
    this.count("clock jump");
    return Math.round(this.#leaseMs * this.between(-1, 2));
  }

  losesHint(): boolean {
    const loses = this.#random.next() < this.#rates.lostHint;
    if (loses) this.count("hint lost");
    return loses;
  }

  /** How long a call, an answer or a hint is under way. */
  delayMs(): number {
    if (this.#random.next() >= this.#rates.delay) return this.between(0, FAST_MS);
    this.count("delay");
    return this.between(FAST_MS, 2 * this.#leaseMs);
  }

  between(min: number, max: number): number {
    return min + this.#random.next() * (max - min);
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random.next() * list.length)];
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #either<A, B>(one: A, other: B): A | B {
    return this.#random.next() < 0.5 ? one : other;
  }

  #count(fault: CallFault): CallFault {
    this.count(`call ${fault}`);
    return fault;
  }
}
