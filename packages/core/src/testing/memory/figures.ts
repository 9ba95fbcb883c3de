/** What there is, in numbers. */
import { statusOf } from "../../engine/status.ts";
import type { EndedFigures, Figures, FiguresSpan, LiveFigures, RunRecord, WorkerLoad } from "../../store.ts";
import { workerRecord } from "./reading.ts";
import type { MemoryData } from "./rows.ts";

export function workers({ workers, live }: MemoryData): readonly WorkerLoad[] {
  const owners = [...live.values()].map(({ run }) => run.owner);
  return [...workers.values()]
    .filter((worker) => worker.live)
    .toSorted((a, b) => a.id - b.id)
    .map((worker) => ({
      ...workerRecord(worker),
      runs: owners.filter((owner) => owner === worker.id).length,
    }));
}

export function figures({ runs, live }: MemoryData, span: FiguresSpan, now: number): Figures {
  const liveRuns = [...live.values()].map(({ run }) => run);
  const ended = [...runs.values()]
    .map(({ run }) => run)
    .filter(
      ({ createdAt, endedAt }) =>
        endedAt !== null && endedAt >= span.endedSince && createdAt >= span.createdSince,
    );
  return {
    now,
    live: groups(liveRuns, (run) => [run.workflow, run.version, statusOf(run, now)]).map((group) =>
      liveFigures(group, now),
    ),
    ended: groups(ended, (run) => [run.workflow, run.end ?? ""]).flatMap(endedFigures),
  };
}

type Group = readonly [RunRecord, ...(readonly RunRecord[])];

/** In the order of their keys. */
function groups(runs: readonly RunRecord[], keyOf: (run: RunRecord) => readonly string[]): readonly Group[] {
  const byKey = Map.groupBy(runs, (run) => keyOf(run).join("\n"));
  return [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group as unknown as Group);
}

function liveFigures(group: Group, now: number): LiveFigures {
  const [first] = group;
  const dueAts = group.flatMap(({ dueAt }) => dueAt ?? []);
  return {
    workflow: first.workflow,
    version: first.version,
    status: statusOf(first, now),
    runs: group.length,
    paused: group.filter(({ paused }) => paused !== null).length,
    firstDueAt: dueAts.length === 0 ? null : Math.min(...dueAts),
    oldestAt: Math.min(...group.map(({ createdAt }) => createdAt)),
  };
}

function endedFigures(group: Group): readonly EndedFigures[] {
  const [{ workflow, end }] = group;
  if (end === null) return [];
  const took = group.map(({ createdAt, endedAt }) => (endedAt ?? 0) - createdAt).toSorted((a, b) => a - b);
  const rank = (percent: number): number => took[Math.ceil((took.length * percent) / 100) - 1] ?? 0;
  return [
    { workflow, status: end, runs: took.length, medianMs: rank(50), p95Ms: rank(95), maxMs: rank(100) },
  ];
}
