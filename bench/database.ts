/**
 * What differs between the databases under everstep. The workloads are written once, against this; each phase of a workload has a
 * process of its own, so a place in a database travels as text, its address.
 */
import type { Store } from "@everstep/core";

export const DATABASES = ["sqlite", "postgres"] as const;
export type DatabaseName = (typeof DATABASES)[number];

export interface Database {
  /** In the process that outlives the phases: starts what they need. */
  readonly begin: (folder: string) => Promise<Host>;
  readonly open: (address: string) => Store;
  /** The driver without everstep: what everstep's figures are ratios to. */
  readonly raw: (address: string) => Promise<RawDriver>;
  /** Repeats `act`, which writes, until a commit costs what it will go on to cost. */
  readonly untilSteady: (address: string, act: () => Promise<unknown>) => Promise<void>;
  readonly seedFinished: (address: string, copying: Copying) => Promise<void>;
  /** Takes over at once what the workers of dead processes own, by hand: for measurements that are not about noticing their death. */
  readonly freeRunsOfDeadWorkers: (address: string) => Promise<void>;
  /** Counts what goes to the server from now on; there is none for a file. */
  readonly traffic?: (address: string) => Promise<Traffic>;
}

export interface Host {
  /** What a figure means nothing without: versions and settings. */
  readonly about: string;
  /** The address of a new, empty place for one measurement; `folder` is of that measurement. */
  readonly newAddress: (folder: string) => Promise<string>;
  readonly discard: (address: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface RawDriver {
  /** Commits so many rows like those of a step, with the durability of the store, over one connection. */
  readonly commit: (rows: number) => Promise<void>;
  /** The same as `jsonb`, which costs the server more: what others measure, and everstep does not store. */
  readonly commitJsonb?: (rows: number) => Promise<void>;
  /** Repeats `act`, which commits, until a commit costs what it will go on to cost. */
  readonly untilSteady: (act: () => Promise<unknown>) => Promise<void>;
  /** Asks the server for nothing; there is none for a file. */
  readonly roundTrip?: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** Finished runs that nobody has to run: what a million runs would leave behind. */
export interface Copying {
  /** The finished run that is copied. */
  readonly template: string;
  readonly copies: number;
  /** Two stores with the same seed get the same ids. */
  readonly seed: number;
}

export interface Traffic {
  /** Statements that this process has sent. */
  readonly queries: () => number;
  /** Transactions in the database, whoever's. */
  readonly transactions: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export async function databaseNamed(name: DatabaseName): Promise<Database> {
  if (name === "sqlite") return (await import("./databases/sqlite.ts")).sqliteFiles;
  return (await import("./databases/postgres.ts")).postgresServer;
}
