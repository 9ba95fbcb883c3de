import type { Database } from "better-sqlite3";
import type { EventRecord, NewEvent, Outcome, WorkflowSpec } from "@everstep/core";
import type { Catalog } from "./catalog.ts";
import type { Scope } from "./scope.ts";
import type { StartWrites } from "./start-writes.ts";
import { prepare, storable } from "./statement.ts";

interface Emitted {
  readonly payload_hash: string;
  /** Ids of the runs that it started. */
  readonly runs: string;
}

/** Events: each starts one run of every workflow that listens when it is committed, once per id (S13). */
export class EventWrites {
  readonly #starts: StartWrites;
  readonly #catalog: Catalog;
  readonly #seen;
  readonly #insert;

  constructor(db: Database, starts: StartWrites, catalog: Catalog) {
    this.#starts = starts;
    this.#catalog = catalog;
    this.#seen = prepare<[string, string], Emitted>(
      db,
      `SELECT payload_hash, runs FROM everstep_events WHERE name = ? AND id = ?`,
    );
    this.#insert = prepare<[string, string, number, string, string]>(
      db,
      `INSERT INTO everstep_events (name, id, at, payload_hash, runs) VALUES (?, ?, ?, ?, ?)`,
    );
  }

  emit(event: NewEvent, scope: Scope): Outcome {
    const name = storable(event.name, "the event's name");
    const id = storable(event.id, "the event's id");
    const seen = this.#seen.get(name, id);
    if (seen !== undefined) return answerAgain(seen, event);
    const runs = this.#catalog
      .listeners(name, scope)
      .filter((spec) => this.#start(spec, event, scope))
      .map((spec) => runIdOf(spec, event));
    this.#insert.run(name, id, scope.now, event.payloadHash, JSON.stringify(runs));
    return { is: "emitted", runs, again: false };
  }

  /** False when the id is taken: the event was emitted before it was forgotten, or somebody else uses such ids. */
  #start(spec: WorkflowSpec, event: NewEvent, scope: Scope): boolean {
    const { name: workflow, version, priority, timeoutMs } = spec;
    const run = {
      id: runIdOf(spec, event),
      workflow,
      version,
      input: event.payload,
      inputHash: event.payloadHash,
      priority,
      tags: {},
      timeoutMs,
      raw: true,
    };
    return this.#starts.bear(run, { event: event.codecId }, scope).is === "created";
  }
}

function runIdOf({ name }: WorkflowSpec, { runPrefix }: NewEvent): string {
  return `${runPrefix}${name}`;
}

function answerAgain({ payload_hash, runs }: Emitted, { payloadHash }: NewEvent): Outcome {
  if (payload_hash !== payloadHash) return { is: "conflict", workflow: "" };
  return { is: "emitted", runs: JSON.parse(runs) as readonly string[], again: true };
}

/** Reads what was emitted. */
export class EventLists {
  readonly #all;
  readonly #named;

  constructor(db: Database) {
    const columns = "name, id, at, json_array_length(runs) AS runs";
    this.#all = prepare<[number], EventRecord>(
      db,
      `SELECT ${columns} FROM everstep_events WHERE no > 0 ORDER BY no DESC LIMIT ?`,
    );
    this.#named = prepare<[string, number], EventRecord>(
      db,
      `SELECT ${columns} FROM everstep_events INDEXED BY everstep_events_name WHERE name = ? ORDER BY no DESC LIMIT ?`,
    );
  }

  newest({ name, limit }: { readonly name?: string; readonly limit: number }): readonly EventRecord[] {
    return name === undefined ? this.#all.all(limit) : this.#named.all(name, limit);
  }
}
