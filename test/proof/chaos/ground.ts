import type { Context, Store } from "@everstep/core";
import type { Evidence } from "./evidence.ts";

/** Where a database is, as a process is told. */
export type Place = { readonly file: string } | PostgresPlace;

export interface PostgresPlace {
  readonly url: string;
  readonly schema: string;
  /** As if its sessions were not its own: without locks, hints and prepared statements. */
  readonly transactionPooler?: boolean;
}

/** The database of a campaign, as one of its processes has it open: all in which one kind of store differs from another. */
export interface Ground {
  readonly store: Store;
  /** The application's own tables: what its transactions post, and its requests to start runs. */
  createApplication(): Promise<void>;
  /** One row of the application in the journal's transaction. Answers its token, which is new each time. */
  post(ctx: Context, name: string): Promise<string>;
  /** A run and the application's row of it, which commit together on a connection of the application. */
  request(run: string, start: (tx: unknown) => Promise<unknown>): Promise<void>;
  /** The database did not answer: nobody knows whether what it was asked for happened. */
  isOutage(error: unknown): boolean;
  /** Whether a worker of that process has a lease that nobody took over. */
  isLive(pid: number): Promise<boolean>;
  readApplication(): Promise<Pick<Evidence, "postings" | "requests" | "integrity" | "liveWorkers">>;
  /** Where in all that everstep has stored that text is. */
  find(text: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Each process loads the driver that it needs. */
export async function groundAt(place: Place): Promise<Ground> {
  if ("file" in place) return new (await import("./sqlite-ground.ts")).SqliteGround(place.file);
  return new (await import("./postgres-ground.ts")).PostgresGround(place);
}
