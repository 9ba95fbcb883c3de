/** A run as it was read, as a claim: what a worker would be handed to go on with it. */
import { effectiveJournal } from "../engine/effective-journal.ts";
import type { Claim } from "../store.ts";

export interface Recorded {
  /** The run as it was when it was recorded, or just before its end: due, and claimed. */
  readonly claim: Claim;
  /** The instant up to which it was recorded. */
  readonly until: number;
}

/** Time stands at the last entry, but a retry that is waited for is due. A stuck run is as if a person had resumed it. */
export function goesOn(read: Claim): Recorded {
  const { run, journal } = read;
  const until = Math.max(run.startedAt ?? run.createdAt, journal.at(-1)?.at ?? 0, run.stuck?.at ?? 0);
  const { retries, ...rest } = resumed(reclaimed(read));
  // Which body comes next is the question, not how long it is waited for.
  const due = retries.map((row) =>
    row.nextAt === null ? row : { ...row, nextAt: Math.min(row.nextAt, until) },
  );
  return { claim: { ...rest, retries: due }, until };
}

function reclaimed({ run, journal, messages, retries }: Claim): Claim {
  const { entries } = effectiveJournal(journal);
  return {
    // What came too late for the end changed nothing then.
    messages: run.end === null ? messages : messages.filter(({ type }) => type === "signal"),
    retries,
    journal: journal.filter(({ kind }) => kind !== "end"),
    run: {
      ...run,
      phase: entries.some(({ kind }) => kind === "unwinding") ? "compensating" : "forward",
      end: null,
      owner: 1,
      attempt: run.attempt + 1,
      strikes: 0,
      strikesAlone: 0,
      result: null,
      error: null,
    },
  };
}

/** A stuck run is replayed as if a person had resumed it, which is what is to come after a fix. */
function resumed(claim: Claim): Claim {
  const { run, journal, retries } = claim;
  if (run.stuck === null) return claim;
  const last = journal.at(-1);
  const at = Math.max(run.stuck.at, last?.at ?? 0);
  const entry = {
    seq: (last?.seq ?? 0) + 1,
    kind: "resume",
    key: "replay",
    at,
    attempt: run.attempt,
  } as const;
  return {
    ...claim,
    run: { ...run, stuck: null },
    journal: last?.kind === "resume" ? journal : [...journal, entry],
    retries: retries.map((row) =>
      row.nextAt === null ? { ...row, failures: 0, firstAt: at, nextAt: at } : row,
    ),
  };
}
