/** What is stored when all is over, compared with what was seen of it before. */
import type { MemoryDump } from "../memory/dump.ts";
import type { Audit } from "./audit.ts";
import { brokenRelations } from "./relations.ts";

/** I1, I11, I21: it is all that was ever accepted and appended, and no more; and what runs did to each other fits. */
export function compareStored(audit: Audit, stored: MemoryDump): void {
  const runs = new Map(stored.runs.map((run) => [run.id, run]));
  const purged = new Set(stored.purged.map(({ id }) => id));
  for (const [id, known] of audit.runs) {
    const run = runs.get(id);
    if (run === undefined && !purged.has(id)) known.problem("I1: it was accepted and is not there");
    if (run !== undefined) known.compare(run.journal);
    if (run !== undefined && run.retries.length > 0)
      known.problem("I21: it has ended, and rows of retries are left");
  }
  audit.problems.push(...brokenRelations(stored));
}
