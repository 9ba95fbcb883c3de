import type { Entry, RunDetails, Store } from "@everstep/core";
import type { OrderRecord, SignalRecord, StartRecord } from "./callers.ts";
import type { LedgerEvent } from "./ledger-events.ts";
import type { Operation } from "./stripe.ts";

export interface Posting {
  readonly run: string;
  readonly step: string;
  readonly token: string;
}

/** A connection of the workers to a server, when nothing is left to do. */
export interface Session {
  readonly when: "idle" | "stopped";
  readonly state: string;
  /** For how long it has been in that state. */
  readonly sinceMs: number;
}

/** All that the test knows when everything is over. */
export interface Evidence {
  readonly starts: readonly StartRecord[];
  readonly signals: readonly SignalRecord[];
  readonly orders: readonly OrderRecord[];
  /** What the stand-in for Stripe has executed. */
  readonly operations: readonly Operation[];
  /** Everything in the store, as often as its lists have it, deciphered. */
  readonly runs: readonly RunDetails[];
  readonly events: readonly LedgerEvent[];
  readonly postings: readonly Posting[];
  /** Rows of the application that were committed together with a start. */
  readonly requests: readonly string[];
  /** What the database says of its own files; nothing, or "ok", when they are whole. */
  readonly integrity: readonly string[];
  readonly sessions: readonly Session[];
  /** Where in the database the secret is in the clear. */
  readonly leaks: readonly string[];
  /** Workers that the store takes for living when all of them are stopped. */
  readonly liveWorkers: number;
}

const PAGE = 500;
/** Runs that are read at a time. */
const READERS = 8;

export async function readAllRuns(store: Store): Promise<RunDetails[]> {
  const runs: RunDetails[] = [];
  for (let after: string | undefined, more = true; more; ) {
    const page = await store.list({}, { limit: PAGE, ...(after === undefined ? {} : { after }) });
    for (let from = 0; from < page.runs.length; from += READERS) {
      const some = page.runs.slice(from, from + READERS);
      const details = await Promise.all(some.map(({ id }) => store.read(id)));
      runs.push(...details.filter((found) => found !== undefined));
    }
    after = page.next ?? undefined;
    more = after !== undefined;
  }
  return runs;
}

const OPERATOR: ReadonlySet<Entry["kind"]> = new Set(["resume", "pause", "resolve", "reset", "move", "fork"]);

/** A person did it, whoever wrote it down. */
export function isByPerson({ kind }: Entry): boolean {
  return OPERATOR.has(kind);
}

/** What still counts: from each reset on, what came between it and the entry that it names does not. */
export function countingOf({ journal }: RunDetails): readonly Entry[] {
  return journal.reduce<readonly Entry[]>((counting, entry) => {
    if (entry.kind !== "reset") return [...counting, entry];
    const { to } = JSON.parse(entry.value ?? "{}") as { readonly to: number };
    return [...counting.filter(({ seq }) => seq <= to), entry];
  }, []);
}

export function resetsOf({ journal }: RunDetails): number {
  return journal.filter(({ kind }) => kind === "reset").length;
}

/** Results and tokens are plain JSON in the store. */
export function valueOf(entry: Pick<Entry, "value">): unknown {
  return entry.value === undefined ? undefined : (JSON.parse(entry.value) as unknown);
}

export function settlementsOf({ journal }: RunDetails, kind: Entry["kind"]): readonly Entry[] {
  return journal.filter((entry) => entry.kind === kind);
}

/** Runs of which a person had something done again. */
export function doneAgain(runs: Evidence["runs"]): ReadonlySet<string> {
  return new Set(runs.filter((details) => resetsOf(details) > 0).map((details) => details.run.id));
}
