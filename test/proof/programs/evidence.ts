/** What a run leaves behind, as whoever ran it hands it to the judge. */
import type { RunDump } from "@everstep/core/testing";
import type { Doing } from "./outside.ts";

/** The run as stored in the end, whatever store it is in. */
export type StoredRun = Pick<
  RunDump,
  | "id"
  | "end"
  | "stuck"
  | "phase"
  | "result"
  | "error"
  | "journal"
  | "messages"
  | "retries"
  | "tags"
  | "attempt"
  | "startedAt"
  | "createdAt"
  | "endedAt"
  | "workflow"
  | "input"
  | "parent"
  | "event"
>;

/** A body that began, in the order in which they did. */
export interface Execution extends Omit<Doing, "run"> {
  /** Empty of a transaction, which gets none. */
  readonly idempotencyKey: string;
  /** `StepContext.attempt`; 0 of a transaction. */
  readonly attempt: number;
  readonly token: string;
  /** Entries of the journal that were durable when it began. */
  readonly durable: number;
  /** Failed attempts in its row of the store when it began. */
  readonly stored?: number;
  /** Missing when it never ended: its process died, or it was aborted in the middle. */
  readonly ended?: "returned" | "threw";
  /** Its process had been frozen before, and may not know what happened meanwhile (the exemption of P2). */
  readonly thawed?: boolean;
}

/** What the code of one pass saw. */
export interface Watched {
  readonly pass: number;
  /** Entries of the journal that were durable when it began. */
  readonly durable: number;
  readonly lines: readonly string[];
}

export type MessageRow = StoredRun["messages"][number];

export interface Evidence {
  readonly run: StoredRun;
  readonly executions: readonly Execution[];
  readonly passes: readonly Watched[];
  /** Somebody asked for the cancel of the run. */
  readonly canceled: boolean;
  /** False when nothing was done to it: then nothing may have happened twice. */
  readonly faulty: boolean;
  /** The store's clock went back: its times do not tell any more what came first. */
  readonly jumped?: boolean;
  /** Ids of the signals whose sending was answered. */
  readonly sent?: readonly string[];
  /** Tokens of the rows that its transactions have left in the store's own database. */
  readonly rows?: readonly string[];
  /** The runs that this one has led to. */
  readonly others?: readonly Evidence[];
}
