/** Does it: to several runs at a time, each in a transaction of its own, and tells of each what became of it. */
import type { Client, RunSummary } from "@everstep/core";
import { failureOf } from "../failure.ts";
import type { Change } from "./change.ts";
import type { Refused } from "./targets.ts";

export interface Outcome {
  readonly done: string[];
  readonly refused: Refused[];
  /** Under way when the store went out: nobody knows. */
  readonly unknown: string[];
  /** What ended it before its end, such as an outage: the rest was not tried. */
  failure: Error | undefined;
  /** Runs that were not tried. */
  left: number;
}

const AT_A_TIME = 16;
/** Not of one run: it would befall each of them. */
const OF_THE_STORE = new Set(["STORE", "STORE_UNAVAILABLE", "UNEXPECTED"]);

export async function carryOut(
  client: Client,
  change: Change,
  runs: readonly RunSummary[],
  {
    interrupted,
    progress,
  }: { readonly interrupted: AbortSignal; readonly progress: (count: number) => void },
): Promise<Outcome> {
  const outcome: Outcome = { done: [], refused: [], unknown: [], failure: undefined, left: 0 };
  const rest = runs.values();
  let tried = 0;
  const lane = async (): Promise<void> => {
    while (outcome.failure === undefined && !interrupted.aborted) {
      const { value: run, done } = rest.next();
      if (done === true) return;
      tried += 1;
      try {
        await change.act(client, run);
        outcome.done.push(run.id);
      } catch (error) {
        const { code, message } = failureOf(error).error;
        if (OF_THE_STORE.has(code)) {
          outcome.failure ??= error instanceof Error ? error : new Error(String(error));
          outcome.unknown.push(run.id);
        } else outcome.refused.push({ id: run.id, code, message });
      }
      progress(outcome.done.length + outcome.refused.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, runs.length) }, lane));
  outcome.left = runs.length - tried;
  // In the order of the runs, not in that in which replies came.
  const places = new Map(runs.map(({ id }, at) => [id, at]));
  const placeOf = (id: string): number => places.get(id) ?? 0;
  for (const ids of [outcome.done, outcome.unknown]) ids.sort((a, b) => placeOf(a) - placeOf(b));
  outcome.refused.sort((a, b) => placeOf(a.id) - placeOf(b.id));
  return outcome;
}
