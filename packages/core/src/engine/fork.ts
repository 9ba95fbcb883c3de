/** A new run with the beginning of another one's journal: pure. What it did is not done again; from the cut on it goes its own way. */
import { DecodingError, RunStateError } from "../errors.ts";
import type { Entry, ImportWrite, NewEntry, RunDetails } from "../store.ts";
import { staysAfter } from "./effective-journal.ts";
import { entryCodecKey, notedValue, recodedValue } from "./entry-codec.ts";
import { cutBefore, effectiveOf, type RepairCase, withChildren } from "./repair.ts";
import { statusOf } from "./status.ts";
import type { Codec } from "./values.ts";

export interface ForkCase extends RepairCase {
  readonly codec: Codec | undefined;
  /** The id of the new run. */
  readonly id: string;
  /** The step before which it parts from the old one. */
  readonly from: string;
}

export function forkOf(given: ForkCase): Omit<ImportWrite, "kind" | "inputHash"> {
  const { details } = given;
  const { run, now } = details;
  const journal = effectiveOf(given);
  const { to, again } = withChildren(journal.entries, cutBefore(given, journal, given.from), false);
  const counting = journal.entries.filter(({ kind }) => kind !== "reset");
  const kept = counting.filter((entry) => staysAfter(entry, to));
  if (kept.some(({ kind }) => kind === "unwinding"))
    throw new RunStateError(
      run.id,
      statusOf(run, now),
      "it can't be forked from a place where it was being undone",
    );
  const attempts = new Map(details.journal.map(({ seq, attempt }) => [seq, attempt]));
  const recode = recoder(given);
  const prefix = [...kept, ...again].map(
    (entry, index): Entry => ({
      ...recoded(entry, recode),
      seq: index + 1,
      attempt: attempts.get(entry.seq) ?? 0,
    }),
  );
  const at = Math.max(now, prefix.at(-1)?.at ?? 0);
  return {
    run: forkedRun(given, recode),
    journal: [
      ...prefix.map((entry, index) => ({ ...entry, at: index < kept.length ? entry.at : at })),
      forkEntry(given, to, prefix.length + 1, at),
    ],
    messages: [
      ...signalsAgain([...counting.filter(({ seq }) => seq > to), ...journal.givenBack], recode),
      ...signalsLeft(details, recode),
    ],
    retries: [],
    awaits: openCalls(given, [...kept, ...again]),
  };
}

type Recode = (text: string, key: string, runId?: string) => string;

/** Text that a codec bound to the old run, bound to the new one. */
function recoder({ details, codec, id }: ForkCase): Recode {
  return (text, key, runId = details.run.id) => {
    if (codec === undefined) return text;
    try {
      return codec.encode(codec.decode(text, { runId, key }), { runId: id, key });
    } catch (error) {
      throw new DecodingError(`run ${runId}: what is to be forked of ${key === "" ? "it" : key}`, error);
    }
  };
}

function recoded(entry: NewEntry, recode: Recode): NewEntry {
  const { value, error } = entry;
  const key = entryCodecKey(entry);
  return {
    ...entry,
    ...(value === undefined ? {} : { value: recodedValue(entry, value, recode) }),
    // The reason of a refused send is everybody's to read.
    ...(error === undefined || value !== undefined ? {} : { error: recode(error, key) }),
  };
}

function forkedRun({ details, id }: ForkCase, recode: Recode): ImportWrite["run"] {
  const { workflow, version, raw, attempt, priority, tags, input, event, startedAt, timeoutMs } = details.run;
  return {
    id,
    workflow,
    version,
    parent: null,
    event: null,
    raw,
    phase: "forward",
    end: null,
    attempt,
    stuck: null,
    paused: null,
    priority,
    tags,
    input: recode(input, "", event ?? details.run.id),
    result: null,
    error: null,
    createdAt: details.now,
    startedAt,
    endedAt: null,
    timeoutMs,
  };
}

function forkEntry({ details, values, order, id }: ForkCase, to: number, seq: number, at: number): Entry {
  const value = notedValue({ from: details.run.id, to }, order, values.of(id));
  return { seq, kind: "fork", key: order.id, at, attempt: details.run.attempt, value };
}

/** Their messages are consumed: the journal has what they brought. */
function signalsAgain(entries: readonly NewEntry[], recode: Recode): ImportWrite["messages"] {
  return entries.flatMap((entry) => {
    const { seq, kind, value, at } = entry;
    if (kind !== "signal" || value === undefined) return [];
    const name = entryCodecKey(entry);
    return [{ type: "signal" as const, id: `fork:${seq}`, name, payload: recode(value, name), at }];
  });
}

function signalsLeft({ messages }: RunDetails, recode: Recode): ImportWrite["messages"] {
  return messages
    .filter(({ type }) => type === "signal")
    .map(({ id, name, payload, at }) => ({ type: "signal", id, name, payload: recode(payload, name), at }));
}

/** Children that were called and not heard of. */
export function openCalls(
  { values }: Pick<RepairCase, "values">,
  entries: readonly NewEntry[],
): ImportWrite["awaits"] {
  const over = new Set(entries.filter(({ kind }) => kind === "child").map(({ key }) => key));
  return entries
    .filter(({ kind, key, error }) => kind === "call" && error === undefined && !over.has(key))
    .map(({ key, value }) => ({
      runId: String(values.fromText(value ?? '""', key, `the id of child ${key}`)),
      key,
    }));
}
