/** What is done about stuck runs: those whose processes died too often are resumed, any other is for a person, if the test has one. */
import type { RunAudit } from "./audit.ts";

const TIMES_MAX = 20;
/** Nobody is given up for fewer. */
const POISON_DEATHS = 5;

export interface Remedies {
  readonly resume: (runId: string) => Promise<void>;
  readonly mend: ((runId: string) => Promise<void>) | undefined;
}

export class StuckRuns {
  readonly #remedies: Remedies;
  #times = 0;

  constructor(remedies: Remedies) {
    this.#remedies = remedies;
  }

  /** What is done about it is under way. Throws when that is nothing, or has been done too often. */
  attend({ id }: RunAudit, { code, message }: NonNullable<RunAudit["stuck"]>, deaths: number): Promise<void> {
    const { resume, mend } = this.#remedies;
    const remedy = code === "POISON" && deaths >= POISON_DEATHS ? resume : mend;
    this.#times += 1;
    if (remedy === undefined || this.#times > TIMES_MAX)
      throw new Error(`L1: run ${id} is stuck (${code}): ${message}`);
    return remedy(id);
  }
}
