/** I9: who may write what. The ledger has every run that a worker was given, before that worker did anything with it. */
import type { Entry, RunDetails } from "@everstep/core";
import { isByPerson, settlementsOf, valueOf } from "./evidence.ts";
import type { LedgerEvent } from "./ledger-events.ts";

export function ownershipProblems(runs: readonly RunDetails[], events: readonly LedgerEvent[]): string[] {
  const claims = Map.groupBy(
    events.filter(({ type }) => type === "claimed"),
    ({ run }) => run,
  );
  const ends = new Map(
    events.filter(({ type }) => type === "end").map((end) => [`${end.run} ${end.step} ${end.token}`, end.no]),
  );
  return runs.flatMap((details) => {
    const own = claims.get(details.run.id) ?? [];
    return [
      ...attemptProblems(details),
      ...claimantProblems(own),
      ...unclaimedProblems(details, own),
      ...sealedProblems(details, own),
      ...lateProblems(details, own, ends),
    ].map((problem) => `I9 ${details.run.id}: ${problem}`);
  });
}

function attemptProblems({ run, journal }: RunDetails): string[] {
  return [
    ...journal
      .filter(({ attempt }, index) => attempt < (journal[index - 1]?.attempt ?? 0))
      .map(({ seq, attempt }) => `entry ${seq} is of attempt ${attempt}, the one before is later`),
    ...journal
      .filter(({ attempt }) => attempt > run.attempt)
      .map(({ seq }) => `entry ${seq} is of an attempt that never was`),
  ];
}

/** An attempt belongs to one worker, and a worker's id to one process. */
function claimantProblems(claims: readonly LedgerEvent[]): string[] {
  return [...Map.groupBy(claims, ({ attempt }) => attempt)]
    .filter(([, owners]) => owners.length > 1)
    .map(([attempt, owners]) => {
      const workers = owners.map(({ key, pid }) => `worker ${key} of process ${pid}`).join(", ");
      return `attempt ${attempt} was given to ${workers}`;
    });
}

/** An attempt whose worker died before it heard of it has written nothing. What a person did is of any attempt. */
function unclaimedProblems({ journal }: RunDetails, claims: readonly LedgerEvent[]): string[] {
  const claimed = new Set(claims.map(({ attempt }) => attempt));
  return journal
    .filter((entry) => !isByPerson(entry) && !claimed.has(entry.attempt))
    .map(({ seq, attempt }) => `entry ${seq} is of attempt ${attempt}, which nobody was given`);
}

/** What was there when an attempt was given to a worker is of earlier ones, and what came later is not. */
function sealedProblems({ journal }: RunDetails, claims: readonly LedgerEvent[]): string[] {
  return claims.flatMap(({ attempt, token }) => {
    const isInPlace = (entry: Entry): boolean =>
      entry.seq <= Number(token) ? entry.attempt < attempt : entry.attempt >= attempt;
    return journal
      .filter((entry) => !isInPlace(entry))
      .map((entry) => `entry ${entry.seq} is of attempt ${entry.attempt}; attempt ${attempt} found ${token}`);
  });
}

/** A body that ended after the run was given to somebody else wrote nothing for the attempt in which it began. */
function lateProblems(
  details: RunDetails,
  claims: readonly LedgerEvent[],
  ends: ReadonlyMap<string, number>,
): string[] {
  return settlementsOf(details, "step").flatMap((entry) => {
    const endedAt = ends.get(`${details.run.id} ${entry.key} ${String(valueOf(entry))}`) ?? 0;
    const later = claims.find(({ no, attempt }) => attempt > entry.attempt && no < endedAt);
    if (later === undefined) return [];
    return [
      `${entry.key} ended after attempt ${later.attempt} was given away, and was written for ${entry.attempt}`,
    ];
  });
}
