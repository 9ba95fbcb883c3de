/** Events of runs and steps as they are stored in the outbox: JSON text, without inputs, results and signals. */
import type { AdvanceWrite, NewEntry, OutboxEvent, OutboxRow, RetryState, Then } from "../store.ts";
import type { Activation } from "./activation.ts";
import { isUndo, stepOf, undoKey } from "./body-keys.ts";
import type {
  ShippedError,
  ShippedEvent,
  ShippedOfRun,
  ShippedRunBegan,
  ShippedRunEnded,
  ShippedRunStuck,
  ShippedStepRetried,
  ShippedStepSettled,
} from "./shipped-events.ts";

/** What of a write the outbox tells of. `retries`: those that failed once more. */
export interface Recorded {
  readonly entries: readonly NewEntry[];
  readonly retries: NonNullable<AdvanceWrite["retries"]>;
  readonly then?: Then;
}

interface Scene {
  readonly activation: Activation;
  /** The run is to be told of for the first time. */
  readonly began: boolean;
  readonly now: number;
  /** How long the body of this key took. */
  readonly msOf: (key: string) => number | null;
}

type Unstamped<E> = E extends ShippedEvent ? Omit<E, Exclude<keyof ShippedOfRun, "id" | "at">> : never;

export function outboxEventsOf(write: Recorded, scene: Scene): readonly OutboxEvent[] {
  const { id: run, workflow, version, attempt: runAttempt } = scene.activation.machine.run;
  const events = [
    ...(scene.began ? [began(scene)] : []),
    ...write.retries.flatMap((row) => retried(row, scene)),
    ...write.entries.flatMap((entry) => settled(entry, scene)),
    ...(write.then?.do === "stick" ? [stuck(write.then, scene)] : []),
    ...(write.then?.do === "end" ? [ended(write.then, write.entries, scene)] : []),
  ];
  return events.map(({ id, at, ...event }) => ({
    id,
    text: JSON.stringify({ id, at, run, workflow, version, runAttempt, ...event }),
  }));
}

/** The rows of the outbox as events again. */
export function shippedEventsOf(rows: readonly OutboxRow[]): readonly ShippedEvent[] {
  return rows.map(({ text }) => JSON.parse(text) as ShippedEvent);
}

function began({ activation: { machine }, now }: Scene): Unstamped<ShippedRunBegan> {
  const { id, createdAt, startedAt, parent, tags } = machine.run;
  return {
    id: `${id}:began`,
    at: iso(startedAt ?? now),
    type: "run.began",
    createdAt: iso(createdAt),
    parent: parent?.runId ?? null,
    tags,
  };
}

function settled(
  { kind, key, seq, at, error }: NewEntry,
  scene: Scene,
): readonly Unstamped<ShippedStepSettled>[] {
  if (kind !== "step" && kind !== "undo") return [];
  const { activation, msOf } = scene;
  const bodyKey = kind === "undo" ? undoKey(key) : key;
  const row = kind === "undo" ? undefined : activation.machine.asks.find(key)?.retry;
  return [
    {
      id: `${activation.runId}:${seq}`,
      at: iso(at),
      type: "step.settled",
      step: key,
      body: kind,
      outcome: error === undefined ? "ok" : "failed",
      attempts: (row?.failures ?? 0) + 1,
      ms: msOf(bodyKey),
      ...(error === undefined ? {} : { error: causeOf(activation, error, key) }),
    },
  ];
}

function retried(
  row: RetryState,
  { activation, now, msOf }: Scene,
): readonly Unstamped<ShippedStepRetried>[] {
  const { key, failures, nextAt, error } = row;
  if (nextAt === null || error === undefined) return [];
  return [
    {
      id: `${activation.runId}:retry:${activation.attempt}:${key}:${failures}`,
      at: iso(now),
      type: "step.retried",
      step: stepOf(key),
      body: isUndo(key) ? "undo" : "step",
      attempt: failures,
      ms: msOf(key),
      nextAt: iso(nextAt),
      error: errorOf(activation, error, key),
    },
  ];
}

function stuck({ stuck: note }: Then & { readonly do: "stick" }, scene: Scene): Unstamped<ShippedRunStuck> {
  const { runId, attempt } = scene.activation;
  return {
    id: `${runId}:stuck:${attempt}`,
    at: iso(note.at),
    type: "run.stuck",
    code: note.code,
    step: note.key ?? null,
  };
}

function ended(
  { status, error }: Then & { readonly do: "end" },
  entries: readonly NewEntry[],
  { activation, now }: Scene,
): Unstamped<ShippedRunEnded> {
  const { startedAt, createdAt } = activation.machine.run;
  const end = entries.findLast(({ kind }) => kind === "end");
  return {
    id: `${activation.runId}:${end?.seq ?? `end:${activation.attempt}`}`,
    at: iso(end?.at ?? now),
    type: "run.ended",
    status,
    ms: (end?.at ?? now) - (startedAt ?? createdAt),
    ...(error === undefined ? {} : { error: errorOf(activation, error, "") }),
  };
}

/** Of a step that failed for good: what its body threw, rather than that it failed. */
function causeOf(activation: Activation, text: string, key: string): ShippedError {
  return errorOf(activation, text, key, true);
}

/** Never fails a run: an error that can't be read is told of all the same. */
function errorOf({ values, host }: Activation, text: string, key: string, ofCause = false): ShippedError {
  try {
    const stored = values.errorFromText(text, key, "an error");
    const error = ofCause && stored.cause instanceof Error ? stored.cause : stored;
    const { name, message } = error;
    return {
      name,
      ...("code" in error && typeof error.code === "string" ? { code: error.code } : {}),
      ...(host.codec === undefined ? { message } : {}),
    };
  } catch {
    return { name: "Error" };
  }
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
