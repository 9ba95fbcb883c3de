/** One phase of one workload, in a process of its own: `rounds.ts` starts it and gets the figures back. */
import { once } from "node:events";
import { type DatabaseName, databaseNamed } from "./database.ts";
import type { Figures, Place } from "./workload.ts";
import { WORKLOADS } from "./workloads/all.ts";

export interface PhaseOrder extends Omit<Place, "database" | "killMe" | "together"> {
  readonly databaseName: DatabaseName;
  readonly workload: string;
  readonly phase: string;
}

/** What the process says: figures, or that it is to be killed now, or that it waits for the others of its phase. */
export interface PhaseNews {
  readonly figures?: Figures;
  readonly killMe?: true;
  readonly waits?: true;
}

function tell(news: PhaseNews): void {
  process.send?.(news);
}

const { workload, phase, databaseName, ...place } = JSON.parse(process.argv[2] ?? "{}") as PhaseOrder;
const chosen = WORKLOADS.find(({ name }) => name === workload)?.phases.find(({ name }) => name === phase);
if (chosen === undefined) throw new Error(`there is no phase ${phase} of ${workload}`);
const killMe = (): Promise<never> => {
  tell({ killMe: true });
  return new Promise(() => {});
};
const together = async (): Promise<void> => {
  const allAreHere = once(process, "message");
  tell({ waits: true });
  await allAreHere;
};
const database = await databaseNamed(databaseName);
tell({ figures: await chosen.run({ ...place, database, killMe, together }) });
process.disconnect();
