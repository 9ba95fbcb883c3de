/** Workers and what they hold: joining, renewing, taking over from the dead, claiming what is due. */
import type {
  Claim,
  ClaimRequest,
  ClaimResult,
  JoinRequest,
  Lease,
  Outcome,
  Renewal,
  RunRecord,
} from "../../store.ts";
import type { Scene } from "./batch.ts";
import type { Draft } from "./draft.ts";
import { canRun, freed, type MessageRow, type RunRow, type WorkerRow } from "./rows.ts";
import { tellOf } from "./workflows.ts";

export function join(draft: Draft, { workflows, ...request }: JoinRequest, now: number): Lease {
  // S5: rows of workers are never deleted, so their number is never used again.
  const id = draft.workers.values().length + 1;
  const expiresAt = now + request.leaseMs;
  const known = workflows.map(({ name, version }) => ({ name, version }));
  draft.workers.set(id, { ...request, workflows: known, id, live: true, expiresAt, batch: 0, outcomes: [] });
  tellOf(draft, workflows, now);
  return { worker: id, now, expiresAt };
}

export function renew(draft: Draft, { worker: id }: Lease, now: number): Renewal {
  const worker = draft.workers.get(id);
  if (worker?.live !== true)
    return { live: false, now, expiresAt: worker?.expiresAt ?? now, owned: [], reaped: 0 };
  const expiresAt = renewedUntil(worker, now);
  draft.workers.set(id, { ...worker, expiresAt });
  const dead = draft.workers.values().filter((other) => other.live && other.expiresAt <= now);
  for (const other of dead) takeOver(draft, other, now);
  const owned = draft.liveRuns().filter(({ run }) => run.owner === id);
  return {
    live: true,
    now,
    expiresAt,
    owned: owned.map(({ run }) => ({ runId: run.id, attempt: run.attempt, inbox: run.inbox })),
    reaped: dead.length,
  };
}

/** Extended when a third of the lease is used up. A lease that nobody took over is good, however old. */
function renewedUntil({ expiresAt, leaseMs }: WorkerRow, now: number): number {
  return expiresAt - now < (leaseMs * 2) / 3 ? now + leaseMs : expiresAt;
}

function takeOver(draft: Draft, worker: WorkerRow, now: number): void {
  draft.workers.set(worker.id, { ...worker, live: false });
  for (const row of draft.liveRuns()) {
    if (row.run.owner === worker.id) strike(draft, row, now);
  }
}

function strike(draft: Draft, row: RunRow, now: number): void {
  const { strikes, strikesAlone } = row.run;
  draft.set(
    row,
    {
      ...freed(row.run, now),
      strikes: strikes + 1,
      strikesAlone: strikesAlone + (row.alone ? 1 : 0),
      interrupted: true,
    },
    { alone: false },
  );
}

export function leave({ draft, now, worker: id }: Scene): Outcome {
  const worker = id === null ? undefined : draft.workers.get(id);
  if (worker !== undefined) draft.workers.set(worker.id, { ...worker, live: false });
  for (const row of draft.liveRuns()) {
    if (row.run.owner === id) draft.set(row, freed(row.run, now), { alone: false });
  }
  return { is: "done" };
}

export function claim(draft: Draft, request: ClaimRequest, now: number): ClaimResult {
  const live = draft.workers.get(request.worker)?.live === true;
  const { except } = request;
  const paused = namesOf(request).filter((name) => draft.pauses.get(name) !== undefined);
  const workflows = request.workflows.filter(({ name }) => !paused.includes(name));
  const waiting = draft
    .liveRuns()
    .filter(({ run }) => isToBeClaimed(run, workflows) && !except.includes(run.id));
  const due = waiting.filter(({ run }) => dueAtOf(run) <= now).toSorted(byPriorityThenDue);
  const taken = live ? due.slice(0, request.limit) : [];
  for (const row of taken) draft.set(row, claimedBy(row.run, request.worker, now), { alone: false });
  const left = waiting.filter((row) => !taken.includes(row)).map(({ run }) => dueAtOf(run));
  return {
    now,
    claims: taken.flatMap(({ run }) => draft.run(run.id) ?? []).map(claimOf),
    inboxes: live
      ? request.inboxes.flatMap((seen) => newMessages(draft.run(seen.runId), request.worker, seen.after))
      : [],
    nextDueAt: left.length === 0 ? null : left.reduce((a, b) => Math.min(a, b)),
    paused,
  };
}

const namesOf = ({ workflows }: ClaimRequest): readonly string[] =>
  [...new Set(workflows.map(({ name }) => name))].toSorted();

function isToBeClaimed(run: RunRecord, workflows: ClaimRequest["workflows"]): boolean {
  return run.owner === null && run.stuck === null && run.dueAt !== null && canRun(workflows, run);
}

const dueAtOf = (run: RunRecord): number => run.dueAt ?? Number.POSITIVE_INFINITY;

function byPriorityThenDue(a: RunRow, b: RunRow): number {
  return b.run.priority - a.run.priority || dueAtOf(a.run) - dueAtOf(b.run) || a.no - b.no;
}

function claimedBy(run: RunRecord, worker: number, now: number): Partial<RunRecord> {
  return { owner: worker, attempt: run.attempt + 1, startedAt: run.startedAt ?? now, dueAt: null, waits: [] };
}

/** A run with all that its owner needs to go on. */
export function claimOf({ run, journal, messages, retries }: RunRow): Claim {
  return { run, journal, messages: waitingMessages(messages), retries: [...retries.values()] };
}

function newMessages(row: RunRow | undefined, worker: number, after: number): ClaimResult["inboxes"] {
  if (row === undefined || row.run.owner !== worker || row.run.inbox <= after) return [];
  const messages = waitingMessages(row.messages).filter(({ no }) => no > after);
  return [{ runId: row.run.id, inbox: row.run.inbox, messages }];
}

function waitingMessages(messages: readonly MessageRow[]): Claim["messages"] {
  return messages
    .filter(({ consumedBy }) => consumedBy === null)
    .map(({ no, type, id, name, payload, at }) => ({ no, type, id, name, payload, at }));
}
