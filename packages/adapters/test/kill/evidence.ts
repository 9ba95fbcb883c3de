import SqliteDatabase from "better-sqlite3";
import type { Entry, RunDetails, Store } from "@everstep/core";
import type { StartRecord } from "./callers.ts";
import type { LedgerEvent } from "./ledger-events.ts";

interface Posting {
  readonly run: string;
  readonly step: string;
  readonly token: string;
}

/** All that the test knows when everything is over. */
export interface Evidence {
  readonly starts: readonly StartRecord[];
  /** Everything in the store, as often as its lists have it. */
  readonly runs: readonly RunDetails[];
  readonly events: readonly LedgerEvent[];
  readonly postings: readonly Posting[];
  /** Rows of the application that were committed together with a start. */
  readonly requests: readonly string[];
  /** What SQLite says of its own file. */
  readonly integrity: readonly string[];
}

const PAGE = 500;

export async function readAllRuns(store: Store): Promise<RunDetails[]> {
  const runs: RunDetails[] = [];
  for (let after: string | undefined, more = true; more; ) {
    const page = await store.list({}, { limit: PAGE, ...(after === undefined ? {} : { after }) });
    for (const { id } of page.runs) {
      const details = await store.read(id);
      if (details !== undefined) runs.push(details);
    }
    after = page.next ?? undefined;
    more = after !== undefined;
  }
  return runs;
}

export function readApplication(file: string): Pick<Evidence, "postings" | "requests" | "integrity"> {
  const db = new SqliteDatabase(file, { readonly: true });
  try {
    return {
      postings: db.prepare<[], Posting>("SELECT run, step, token FROM postings").all(),
      requests: db.prepare<[], string>("SELECT run FROM requests").pluck().all(),
      integrity: [
        ...db.prepare<[], string>("PRAGMA integrity_check").pluck().all(),
        ...db.prepare("PRAGMA foreign_key_check").all().map(String),
      ],
    };
  } finally {
    db.close();
  }
}

/** Results and tokens are plain JSON in the store. */
export function valueOf(entry: Pick<Entry, "value">): unknown {
  return entry.value === undefined ? undefined : (JSON.parse(entry.value) as unknown);
}

export function settlementsOf({ journal }: RunDetails, kind: Entry["kind"]): readonly Entry[] {
  return journal.filter((entry) => entry.kind === kind);
}
