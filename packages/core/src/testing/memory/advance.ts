/** What the owner of a run changes in one write: all of it, or nothing. */
import type { AdvanceWrite, Entry, NewEntry, Outcome, RunRecord, Then } from "../../store.ts";
import type { Scene } from "./batch.ts";
import { freed, type MessageRow, type RunRow } from "./rows.ts";

/** Expects that the worker of the scene holds its lease. */
export function advance({ draft, now, worker }: Scene, write: AdvanceWrite): Outcome {
  const row = draft.run(write.runId);
  // S4: the owner, and under the attempt that it claimed; one of its earlier claims is as good as anybody else's.
  if (row === undefined || row.run.owner !== worker || row.run.attempt !== write.attempt)
    return { is: "fenced" };
  const reason = whyNot(row, write);
  if (reason !== undefined) return { is: "refused", reason };
  const advanced = withWork(row, write);
  const { then } = write;
  if (then?.do === "park" && advanced.run.inbox > then.inbox) {
    draft.put(advanced);
    return { is: "inbox-changed" };
  }
  draft.put(then === undefined ? advanced : letGo(advanced, then, now));
  return { is: "done" };
}

function whyNot({ journal, messages }: RunRow, { entries, consume = [] }: AdvanceWrite): string | undefined {
  const next = (journal.at(-1)?.seq ?? 0) + 1;
  const gap = entries.findIndex(({ seq }, index) => seq !== next + index);
  if (gap !== -1) return `entry ${entries[gap]?.seq} does not continue the journal, ${next + gap} does`;
  const lost = consume.find(([no]) => messages.find((message) => message.no === no)?.consumedBy !== null);
  if (lost !== undefined) return `message ${lost[0]} is not there to be consumed`;
  return undefined;
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
    journal: entries.length === 0 ? row.journal : [...row.journal, ...stamped(entries, run.attempt)],
    messages: consume.length === 0 ? row.messages : consumed(row.messages, new Map(consume)),
    retries: withRetries(row, write),
  };
}

function stamped(entries: readonly NewEntry[], attempt: number): Entry[] {
  return entries.map(({ value, error, ...entry }) => ({
    ...entry,
    ...(value === undefined ? {} : { value }),
    ...(error === undefined ? {} : { error }),
    attempt,
  }));
}

const consumed = (messages: readonly MessageRow[], by: ReadonlyMap<number, number>): MessageRow[] =>
  messages.map((message) => ({ ...message, consumedBy: by.get(message.no) ?? message.consumedBy }));

function withRetries(
  { retries }: RunRow,
  { retries: changed = [], settled = [] }: AdvanceWrite,
): RunRow["retries"] {
  if (changed.length + settled.length === 0) return retries;
  const states = new Map([...retries, ...changed.map((state) => [state.key, state] as const)]);
  for (const key of settled) states.delete(key);
  return states;
}

function letGo(row: RunRow, then: Then, now: number): RunRow {
  const { run } = row;
  switch (then.do) {
    case "park": {
      const parked = { ...freed(then.dueAt), waits: then.waits, interrupted: false };
      return { ...row, run: { ...run, ...parked }, alone: false };
    }
    case "release":
      return { ...row, run: { ...run, ...freed(now), interrupted: then.interrupted ?? false }, alone: false };
    case "stick":
      return { ...row, run: { ...run, ...freed(null), stuck: then.stuck }, alone: false };
    default:
      return { ...row, run: ended(run, then, now), alone: false, retries: new Map() };
  }
}

function ended(run: RunRecord, then: Extract<Then, { do: "end" }>, now: number): RunRecord {
  return {
    ...run,
    ...freed(null),
    phase: "done",
    end: then.status,
    result: then.result ?? null,
    error: then.error ?? null,
    stuck: null,
    interrupted: false,
    endedAt: now,
  };
}
