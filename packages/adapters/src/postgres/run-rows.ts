import {
  type Claim,
  type Entry,
  type Message,
  type PauseNote,
  type RetryState,
  type RunRecord,
  StoreError,
  type WorkerRecord,
} from "@everstep/core";

type EntryRow = readonly [
  "e",
  run: number,
  seq: number,
  kind: Entry["kind"],
  key: string,
  at: number,
  attempt: number,
  value: string | null,
  error: string | null,
];
type MessageRow = readonly [
  no: number,
  type: Message["type"],
  id: string,
  name: string,
  payload: string,
  at: number,
];
type RetryRow = readonly [
  "r",
  run: number,
  key: string,
  failures: number,
  firstAt: number,
  nextAt: number | null,
  error: string | null,
  inDoubt: boolean,
];

/** A run, with its number. Its parts follow, each with that number. */
export interface RunPart {
  readonly claim: number;
  readonly run: RunRecord;
  /** Of `read` only. */
  readonly now?: number;
  readonly worker?: WorkerRecord | null;
  readonly capable?: number;
  readonly workflowPaused?: PauseNote | null;
}

type Part = RunPart | EntryRow | readonly ["m", run: number, ...MessageRow] | RetryRow;

/** Puts together what the database answers part by part. */
export class RunParts {
  readonly runs: RunPart[] = [];
  readonly #journals = new Map<number, Entry[]>();
  readonly #messages = new Map<number, Message[]>();
  readonly #retries = new Map<number, RetryState[]>();

  add(part: Part): void {
    if (!("length" in part)) this.runs.push(part);
    else if (part[0] === "e") listOf(this.#journals, part[1]).push(toEntry(part));
    else if (part[0] === "m")
      listOf(this.#messages, part[1]).push(toMessage([part[2], part[3], part[4], part[5], part[6], part[7]]));
    else listOf(this.#retries, part[1]).push(toRetry(part));
  }

  /** Throws when the journal is damaged. */
  claimOf({ claim: no, run }: RunPart): Claim {
    const journal = this.#journals.get(no) ?? [];
    if (!journal.every(({ seq }, index) => seq === index + 1)) {
      throw new StoreError(
        `the journal of run ${run.id} is damaged: entries are missing; restore a backup, and check that nothing but everstep changes its tables`,
      );
    }
    return { run, journal, messages: this.#messages.get(no) ?? [], retries: this.#retries.get(no) ?? [] };
  }
}

function listOf<T>(lists: Map<number, T[]>, no: number): T[] {
  let list = lists.get(no);
  if (list === undefined) lists.set(no, (list = []));
  return list;
}

function toEntry([, , seq, kind, key, at, attempt, value, error]: EntryRow): Entry {
  if (error !== null)
    return value === null
      ? { seq, kind, key, at, attempt, error }
      : { seq, kind, key, at, attempt, value, error };
  return value === null ? { seq, kind, key, at, attempt } : { seq, kind, key, at, attempt, value };
}

export function toMessage([no, type, id, name, payload, at]: MessageRow): Message {
  return { no, type, id, name, payload, at };
}

function toRetry([, , key, failures, firstAt, nextAt, error, inDoubt]: RetryRow): RetryState {
  const state = { key, failures, firstAt, nextAt, inDoubt };
  return error === null ? state : { ...state, error };
}

export function parsePart(text: string): Part {
  return JSON.parse(text) as Part;
}

/** New messages of a run that the worker holds. */
export interface InboxPart {
  readonly inbox: string;
  readonly count: number;
  readonly messages: readonly MessageRow[];
}
