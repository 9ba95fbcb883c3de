/** One phase of one workload, in a process of its own: `main.ts` starts it and gets the figures back. */
import type { Figures, Place } from "./workload.ts";
import { WORKLOADS } from "./workloads/all.ts";

export interface PhaseOrder extends Omit<Place, "killMe"> {
  readonly workload: string;
  readonly phase: string;
}

/** What the process answers: figures, or that it is to be killed now. */
export interface PhaseNews {
  readonly figures?: Figures;
  readonly killMe?: true;
}

function answer(news: PhaseNews): void {
  process.send?.(news);
}

const { workload, phase, ...place } = JSON.parse(process.argv[2] ?? "{}") as PhaseOrder;
const chosen = WORKLOADS.find(({ name }) => name === workload)?.phases.find(({ name }) => name === phase);
if (chosen === undefined) throw new Error(`there is no phase ${phase} of ${workload}`);
const killMe = (): Promise<never> => {
  answer({ killMe: true });
  return new Promise(() => {});
};
answer({ figures: await chosen.run({ ...place, killMe }) });
process.disconnect();
