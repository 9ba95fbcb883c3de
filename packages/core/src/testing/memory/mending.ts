/** What a person decided on a run that was read, written if nothing has become of it since (S14). */
import { statusOf } from "../../engine/status.ts";
import type { MendWrite, Outcome, RunRecord } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { appended, gapIn } from "./journal.ts";
import { freed, type RunRow } from "./rows.ts";
import { tellOfMissed } from "./waiting.ts";

export function mend(scene: Scene, write: MendWrite): Outcome {
  const { draft, now } = scene;
  const row = draft.run(write.runId);
  if (row === undefined) return { is: "not-found" };
  const [first] = write.entries;
  // A person whose answer got lost asks again (S7).
  if (row.journal.some(({ kind, key }) => kind === first.kind && key === first.key)) return { is: "done" };
  if (!isAsRead(row, write)) return { is: "changed", status: statusOf(row.run, now) };
  const reason = gapIn(row.journal, write.entries);
  if (reason !== undefined) return { is: "refused", reason };
  draft.put({
    ...row,
    run: mended(row.run, write, now),
    heldDueAt: write.then === "due" ? null : row.heldDueAt,
    journal: appended(row.journal, write.entries, row.run.attempt),
    retries: mendedRetries(row, write),
  });
  if (row.run.end !== null) tellOfMissed(scene, write.runId);
  return { is: "done" };
}

function isAsRead({ run, journal }: RunRow, { attempt, length, phase }: MendWrite): boolean {
  if (run.end !== null && phase === undefined) return false;
  return run.owner === null && run.attempt === attempt && journal.length === length;
}

function mended(run: RunRecord, { version, phase, then }: MendWrite, now: number): RunRecord {
  return {
    ...run,
    strikes: 0,
    strikesAlone: 0,
    interrupted: false,
    ...(version === undefined ? {} : { version }),
    ...(phase === undefined ? {} : { phase, end: null, result: null, error: null, endedAt: null }),
    ...(then === "stay" ? {} : { stuck: null, paused: null, ...freed({ paused: null }, now) }),
  };
}

/** Forgets first: what is given is there afterwards. */
function mendedRetries(
  { retries }: RunRow,
  { retries: given = [], settled = [] }: MendWrite,
): RunRow["retries"] {
  const left = settled === "all" ? [] : [...retries.values()].filter(({ key }) => !settled.includes(key));
  return new Map([...left, ...given].map((state) => [state.key, state]));
}
