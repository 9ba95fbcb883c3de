/** What the owner of a run changes in one write: all of it, or nothing. */
import type { AdvanceWrite, Outcome, RunRecord, Then } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { appended, gapIn } from "./journal.ts";
import { post } from "./outbox.ts";
import { freed, type MessageRow, type RunRow } from "./rows.ts";
import { sendAll, withErrors } from "./sends.ts";
import { tellWaiters } from "./waiting.ts";

/** Expects that the worker of the scene holds its lease. */
export function advance(scene: Scene, write: AdvanceWrite): Outcome {
  const { draft, worker } = scene;
  const row = draft.run(write.runId);
  // S4: the owner, and under the attempt that it claimed; one of its earlier claims is as good as anybody else's.
  if (row === undefined || row.run.owner !== worker || row.run.attempt !== write.attempt)
    return { is: "fenced" };
  const reason = whyNot(row, write);
  if (reason !== undefined) return { is: "refused", reason };
  draft.put(withWork(row, write));
  post(draft, write.outbox ?? []);
  const refused = sendAll(scene, write.runId, write.sends ?? []);
  const done = { is: "done", ...(refused.length === 0 ? {} : { refused }) } as const;
  // It may have sent something to itself.
  const sent = draft.run(write.runId) ?? row;
  if (refused.length > 0) draft.put({ ...sent, journal: withErrors(sent.journal, refused) });
  return write.then === undefined ? done : letGo(scene, sent, write.then);
}

function whyNot({ journal, messages }: RunRow, { entries, consume = [] }: AdvanceWrite): string | undefined {
  const gap = gapIn(journal, entries);
  if (gap !== undefined) return gap;
  const lost = consume.find(([no]) => messages[no - 1]?.consumedBy !== null);
  return lost && `message ${lost[0]} is not there to be consumed`;
}

function withWork(row: RunRow, write: AdvanceWrite): RunRow {
  const { entries, consume = [], tags, phase, progressed, alone } = write;
  const run: RunRecord = {
    ...row.run,
    ...(tags === undefined ? {} : { tags: { ...row.run.tags, ...tags } }),
    ...(phase === undefined ? {} : { phase }),
    ...(progressed === true ? { strikes: 0, strikesAlone: 0 } : {}),
  };
  return {
    ...row,
    run,
    alone: alone ?? row.alone,
    journal: appended(row.journal, entries, run.attempt),
    messages: consume.length === 0 ? row.messages : consumed(row.messages, consume),
    retries: withRetries(row, write),
  };
}

function consumed(
  messages: readonly MessageRow[],
  consume: NonNullable<AdvanceWrite["consume"]>,
): MessageRow[] {
  const all = [...messages];
  for (const [no, consumedBy] of consume) {
    const message = all[no - 1];
    if (message !== undefined) all[no - 1] = { ...message, consumedBy };
  }
  return all;
}

function withRetries(
  { retries }: RunRow,
  { retries: changed = [], settled = [] }: AdvanceWrite,
): RunRow["retries"] {
  if (changed.length + settled.length === 0) return retries;
  const states = new Map([...retries, ...changed.map((state) => [state.key, state] as const)]);
  for (const key of settled) states.delete(key);
  return states;
}

function letGo(scene: Scene, row: RunRow, then: Then): Outcome {
  const { draft, now } = scene;
  const { run } = row;
  switch (then.do) {
    case "park":
      if (run.inbox > then.inbox) return { is: "inbox-changed" };
      draft.set(row, { ...freed(run, then.dueAt), waits: then.waits, interrupted: false }, { alone: false });
      break;
    case "release":
      draft.set(row, { ...freed(run, now), interrupted: then.interrupted ?? false }, { alone: false });
      break;
    case "stick":
      draft.set(row, { ...freed(run, null), stuck: then.stuck }, { alone: false });
      break;
    case "end":
      draft.set(row, ended(run, then, now), { alone: false, retries: new Map() });
      tellWaiters(scene, run.id);
      break;
  }
  return { is: "done" };
}

function ended(run: RunRecord, then: Extract<Then, { do: "end" }>, now: number): Partial<RunRecord> {
  return {
    ...freed(run, null),
    phase: "done",
    end: then.status,
    result: then.result ?? null,
    error: then.error ?? null,
    stuck: null,
    paused: null,
    interrupted: false,
    endedAt: now,
  };
}
