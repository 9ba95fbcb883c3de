/** A batch of writes, applied to a draft: who may write, then each write by itself. */
import { statusOf } from "../../engine/status.ts";
import { StoreError } from "../../errors.ts";
import type {
  Batch,
  MessageWrite,
  OperateWrite,
  Outcome,
  RunRecord,
  StartWrite,
  Write,
} from "../../store.ts";
import { advance } from "./advance.ts";
import { type Draft, freed, type RunRow } from "./rows.ts";

/** What every write is applied with. `worker` is null when the batch came without a lease. */
export interface Scene {
  readonly draft: Draft;
  readonly now: number;
  readonly worker: number | null;
}

export function applyBatch(
  draft: Draft,
  { writes, lease }: Pick<Batch, "writes" | "lease">,
  now: number,
): readonly Outcome[] {
  if (lease === undefined) {
    if (writes.some(needsLease)) throw new StoreError("a batch without a lease claims, advances or leaves");
    return writes.map((write) => applyWrite({ draft, now, worker: null }, write));
  }
  const worker = draft.worker(lease.worker);
  if (worker === undefined) throw new StoreError(`there is no worker ${lease.worker} in this store`);
  // S2: also when the lease is gone by now; what was applied was applied.
  if (worker.batch === lease.batch) return worker.outcomes;
  if (worker.batch !== lease.batch - 1) {
    throw new StoreError(`worker ${worker.id} sent batch ${lease.batch} after batch ${worker.batch}`);
  }
  const outcomes = writes.map((write) => applyWrite({ draft, now, worker: worker.id }, write));
  draft.putWorker({ ...(draft.worker(worker.id) ?? worker), batch: lease.batch, outcomes });
  return outcomes;
}

const needsLease = (write: Write): boolean =>
  write.kind === "advance" || write.kind === "leave" || (write.kind === "start" && write.claim);

function applyWrite(scene: Scene, write: Write): Outcome {
  switch (write.kind) {
    case "message":
      return send(scene, write);
    case "operate":
      return resume(scene, write);
    case "advance":
      return holdsLease(scene) ? advance(scene, write) : { is: "fenced" };
    case "leave":
      return holdsLease(scene) ? leave(scene) : { is: "fenced" };
    default:
      return start(scene, write);
  }
}

/** S3: nothing else gives the right to write, however late the write arrives. */
export function holdsLease({ draft, worker }: Scene): boolean {
  return worker !== null && draft.worker(worker)?.live === true;
}

function start(scene: Scene, { run, claim }: StartWrite): Outcome {
  const { draft, now } = scene;
  const known = draft.run(run.id);
  if (known !== undefined) {
    const same = known.run.workflow === run.workflow && known.inputHash === run.inputHash;
    return same ? { is: "exists" } : { is: "conflict", workflow: known.run.workflow };
  }
  const claimed = claim && run.due === undefined && holdsLease(scene);
  draft.insert({
    run: {
      ...newRun(run, now),
      ...(claimed ? { owner: scene.worker, attempt: 1, startedAt: now, dueAt: null } : {}),
    },
    inputHash: run.inputHash,
    alone: false,
    journal: [],
    messages: [],
    retries: new Map(),
  });
  return { is: "created", createdAt: now, claimed };
}

function newRun(given: StartWrite["run"], now: number): RunRecord {
  const { id, workflow, version, input, priority, tags, timeoutMs, due } = given;
  return {
    id,
    workflow,
    version,
    input,
    priority,
    tags,
    timeoutMs,
    phase: "forward",
    end: null,
    owner: null,
    attempt: 0,
    dueAt: dueAt(due, now),
    stuck: null,
    result: null,
    error: null,
    inbox: 0,
    strikes: 0,
    strikesAlone: 0,
    interrupted: false,
    waits: [],
    createdAt: now,
    startedAt: null,
    endedAt: null,
  };
}

function dueAt(due: StartWrite["run"]["due"], now: number): number {
  if (due === undefined) return now;
  return "at" in due ? due.at : now + due.inMs;
}

function send({ draft, now }: Scene, { runId, message }: MessageWrite): Outcome {
  const row = draft.run(runId);
  if (row === undefined) return { is: "not-found" };
  // S7: the id is looked up before the end of the run, so that a sender who repeats itself hears what is true.
  if (row.messages.some(({ id }) => id === message.id)) return { is: "duplicate" };
  if (row.run.end !== null) return { is: "ended", status: row.run.end };
  const no = row.run.inbox + 1;
  draft.set(
    row,
    { ...wakeUp(row.run, message.type, now), inbox: no },
    { messages: [...row.messages, { no, ...message, at: now, consumedBy: null }] },
  );
  return { is: "done" };
}

/**
 * S6. A run that is due already keeps its place in the queue; a stuck one, and one whose start is delayed, moves for a cancel
 * only.
 */
function wakeUp(run: RunRecord, type: "signal" | "cancel", now: number): Partial<RunRecord> {
  const asleep = run.stuck !== null || run.attempt === 0;
  if (run.owner !== null || (asleep && type === "signal")) return {};
  return { stuck: null, dueAt: Math.min(run.dueAt ?? now, now) };
}

function resume({ draft, now }: Scene, { runId, id, value }: OperateWrite): Outcome {
  const row = draft.run(runId);
  if (row === undefined) return { is: "not-found" };
  // An operator whose answer got lost asks again (S7).
  if (row.journal.some(({ kind, key }) => kind === "resume" && key === id)) return { is: "done" };
  if (row.run.stuck === null) return { is: "wrong-state", status: statusOf(row.run, now) };
  draft.set(
    row,
    { ...freed(now), stuck: null, strikes: 0, strikesAlone: 0, interrupted: false },
    { retries: withoutPeople(row, now), journal: [...row.journal, resumption(row, { id, value, now })] },
  );
  return { is: "done" };
}

function resumption(
  { journal, run }: RunRow,
  given: { readonly id: string; readonly value: string; readonly now: number },
) {
  const last = journal.at(-1);
  return {
    seq: (last?.seq ?? 0) + 1,
    kind: "resume",
    key: given.id,
    at: Math.max(given.now, last?.at ?? 0),
    value: given.value,
    attempt: run.attempt,
  } as const;
}

/** The retry rows that wait for a person start anew; what is in doubt stays in doubt. */
function withoutPeople({ retries }: RunRow, now: number): RunRow["retries"] {
  return new Map(
    [...retries].map(([key, state]) => [
      key,
      state.nextAt === null ? { ...state, failures: 0, firstAt: now, nextAt: now } : state,
    ]),
  );
}

function leave({ draft, now, worker: id }: Scene): Outcome {
  const worker = id === null ? undefined : draft.worker(id);
  if (worker !== undefined) draft.putWorker({ ...worker, live: false });
  for (const row of draft.liveRuns()) {
    if (row.run.owner === id) draft.set(row, freed(now), { alone: false });
  }
  return { is: "done" };
}
