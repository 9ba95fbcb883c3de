/** What transactions write into the store's own database: a row each, with the token of its execution. */
import { Client } from "@everstep/core";
import type { MemoryStore, MemoryTx } from "@everstep/core/testing";

export interface Table {
  /** What bodies its database takes: SQLite refuses those that wait, and Postgres knows no others. */
  readonly takes: "at once" | "later" | "both";
  insert(tx: unknown, token: string): unknown;
  /** Of all rows that are there, in any order. */
  tokens(): Promise<readonly string[]>;
}

const ROW = "row";
const ROWS_MAX = 1_000_000;

/** All that a memory store holds besides runs and their messages: an event that no workflow listens to. */
export function memoryTable(store: MemoryStore): Table {
  const client = new Client<MemoryTx>({ store });
  return {
    takes: "both",
    // It is in the transaction when this returns; that it is promised as well is for other stores.
    insert: (tx, token) => client.emit(ROW, null, { id: token, tx: tx as MemoryTx }),
    tokens: async () => (await store.events({ name: ROW, limit: ROWS_MAX })).map(({ id }) => id),
  };
}
