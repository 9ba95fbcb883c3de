/** Everything in a memory store, as plain JSON. */
import type { Entry, PauseNote, RetryState, RunRecord } from "../../store.ts";
import type {
  EventRow,
  MemoryData,
  MessageRow,
  OutboxEntry,
  PurgedRow,
  RunRow,
  Waiter,
  WorkerRow,
  WorkflowRow,
} from "./rows.ts";

/** In an order that depends on nothing but what is in the store. */
export interface MemoryDump {
  /** By id. */
  readonly runs: readonly RunDump[];
  /** By id. */
  readonly workers: readonly WorkerRow[];
  /** In the order in which they were told of. */
  readonly workflows: readonly Omit<WorkflowRow, "no">[];
  /** By workflow. */
  readonly pauses: readonly (PauseNote & { readonly workflow: string })[];
  /** By name and id. */
  readonly events: readonly Omit<EventRow, "no">[];
  /** By id. */
  readonly purged: readonly PurgedRow[];
  /** By the run that they wait for, then by themselves. */
  readonly waiters: readonly (Omit<Waiter, "no"> & { readonly for: string })[];
  /** In the order in which they were written. */
  readonly outbox: readonly OutboxEntry[];
}

export interface RunDump extends RunRecord {
  readonly inputHash: string;
  readonly alone: boolean;
  readonly heldDueAt: number | null;
  readonly journal: readonly Entry[];
  /** All that were ever accepted, with the seq of the entry that consumed them. */
  readonly messages: readonly MessageRow[];
  /** By key. */
  readonly retries: readonly RetryState[];
}

export function dump(data: MemoryData): MemoryDump {
  const waiters = [...data.waiters].flatMap(([id, all]) =>
    all.map(({ runId, key }) => ({ for: id, runId, key })),
  );
  return {
    runs: sorted([...data.runs.values()].map(dumpRun), ({ id }) => [id]),
    workers: [...data.workers.values()].toSorted((a, b) => a.id - b.id),
    workflows: byNo(data.workflows),
    pauses: sorted(
      [...data.pauses].map(([workflow, note]) => ({ workflow, ...note })),
      ({ workflow }) => [workflow],
    ),
    events: sorted(byNo(data.events), ({ name, id }) => [name, id]),
    purged: sorted([...data.purged.values()], ({ id }) => [id]),
    waiters: sorted(waiters, (waiter) => [waiter.for, waiter.runId, waiter.key]),
    outbox: [...data.outbox.values()].toSorted((a, b) => a.no - b.no),
  };
}

function dumpRun({ run, ...others }: RunRow): RunDump {
  const { no: _, retries, ...row } = others;
  const tags = Object.fromEntries(sorted(Object.entries(run.tags), ([name]) => [name]));
  return { ...run, tags, ...row, retries: sorted([...retries.values()], ({ key }) => [key]) };
}

function byNo<V extends { readonly no: number }>(table: ReadonlyMap<string, V>): Omit<V, "no">[] {
  return [...table.values()]
    .toSorted((a, b) => a.no - b.no)
    .map((numbered) => {
      const { no: _, ...row } = numbered;
      return row;
    });
}

function sorted<V>(rows: readonly V[], keyOf: (row: V) => readonly string[]): V[] {
  return rows.toSorted((a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    const at = left.findIndex((part, index) => part !== right[index]);
    return at === -1 ? 0 : (left[at] ?? "") < (right[at] ?? "") ? -1 : 1;
  });
}
