/** What is drawn by chance, and from what. */
import type { Prng } from "../../engine/prng.ts";
import type { RunDetails, WorkflowSpec } from "../../store.ts";
import { EVENT, ORDER, spec } from "./writes.ts";

export class Dice {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  below(limit: number): number {
    return Math.floor(this.#prng.next() * limit);
  }

  chance(probability: number): boolean {
    return this.#prng.next() < probability;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }
}

/** Of each thing only so many, so that writes meet. */
const RUNS = 8;
const CHILDREN = 4;

export const runId = (dice: Dice): string => `run-${dice.below(RUNS)}`;

export const childId = (dice: Dice): string =>
  dice.chance(0.3) ? runId(dice) : `child-${dice.below(CHILDREN)}`;

/** What is known of the runs when the writes are drawn. */
export type Known = ReadonlyMap<string, RunDetails>;

/** One of the runs that are there. */
export function someRun(dice: Dice, known: Known): RunDetails | undefined {
  return [...known.values()][dice.below(known.size)];
}

/** What the workers of the duel may have told of. */
export const WORKFLOWS: readonly [WorkflowSpec, ...WorkflowSpec[]] = [
  ORDER,
  spec("order", "2", { on: EVENT }),
  spec("mail", "1", { on: EVENT, priority: 2, timeoutMs: 9_000 }),
];

export function someWorkflows(dice: Dice): readonly WorkflowSpec[] {
  return dice.pick([[ORDER], [ORDER], WORKFLOWS, WORKFLOWS.slice(1), [spec("order", "1", { on: EVENT })]]);
}
