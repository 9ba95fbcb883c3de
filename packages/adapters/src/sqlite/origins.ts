import type { Database } from "better-sqlite3";
import type { RunRecord } from "@everstep/core";
import { prepare, storable } from "./statement.ts";

/** Bits of a run's `awaited`: its parent is to be told of its end; those in `everstep_waiters` are. */
export const PARENT_WAITS = 1;
export const OTHERS_WAIT = 2;

/** Where a run comes from, when it was not simply started by a client. */
export interface Origin {
  readonly parent?: RunRecord["parent"];
  readonly event?: string | null;
  readonly raw?: boolean;
}

/** Rows of their own, for they never change and a run's row changes with every entry. */
export class Origins {
  readonly #insert;

  constructor(db: Database) {
    this.#insert = prepare<[number, string | null, string | null, number, string | null, number]>(
      db,
      `INSERT INTO everstep_origins (run, parent, key, called, event, raw) VALUES (?, ?, ?, ?, ?, ?)`,
    );
  }

  add(run: number, { parent = null, event = null, raw = false }: Origin): void {
    this.#insert.run(
      run,
      parent === null ? null : storable(parent.runId, "the parent's id"),
      parent === null ? null : storable(parent.key, "the key of the child"),
      Number(parent?.called ?? false),
      event === null ? null : storable(event, "what the event is encoded for"),
      Number(raw),
    );
  }
}
