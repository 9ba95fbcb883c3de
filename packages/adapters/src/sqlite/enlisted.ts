import type { Database } from "better-sqlite3";
import { type Batch, type Outcome, StoreError, type Write } from "@everstep/core";
import type { FileIdentity } from "./file-identity.ts";
import { isFull } from "./open.ts";
import type { Scope } from "./scope.ts";
import { prepare } from "./statement.ts";
import { Savepoints } from "./transactions.ts";
import { ClientWrites } from "./writes.ts";

/** What is prepared once for a connection of the application. */
interface Caller {
  readonly writes: ClientWrites;
  readonly savepoints: Savepoints;
}

/**
 * Writes inside a transaction that the application has open on a connection of its own: they commit with its own rows, or not
 * at all. All is done when the call returns, so it may be made from the function of a synchronous `db.transaction()`.
 */
export class Enlisted {
  readonly #identity: FileIdentity;
  readonly #callers = new WeakMap<Database, Caller>();

  constructor(identity: FileIdentity) {
    this.#identity = identity;
  }

  /** Throws with nothing of the batch kept; the caller's transaction goes on. */
  apply(tx: Database, { writes, lease }: Batch<Database>, scope: Scope): readonly Outcome[] {
    if (lease !== undefined)
      throw new StoreError("a batch with `tx` has no lease: its runs are never born claimed");
    requireTransaction(tx);
    const caller = this.#callers.get(tx) ?? this.#meet(tx);
    return caller.savepoints.all(() => writes.map((write) => applyWrite(caller, write, scope)));
  }

  #meet(tx: Database): Caller {
    const file = mainFile(tx);
    if (!this.#identity.isSameAs(file)) {
      throw new StoreError(
        `the connection given as \`tx\` is to ${file === "" ? "a database in memory" : file}, another file than the store's; open it on the store's file`,
      );
    }
    const caller = { writes: new ClientWrites(tx), savepoints: new Savepoints(tx) };
    this.#callers.set(tx, caller);
    return caller;
  }
}

function requireTransaction(tx: Database): void {
  if (!tx.open || !tx.inTransaction) {
    throw new StoreError(
      "the connection given as `tx` is not in a transaction; begin one, or leave `tx` out",
    );
  }
  if (!isFull(tx)) {
    throw new StoreError(
      `the connection given as \`tx\` does not commit durably; call db.pragma("synchronous = FULL") after opening it`,
    );
  }
}

/** The path as SQLite opened it: `db.name` may be relative to a directory that the process has left. */
function mainFile(db: Database): string {
  const sql = "SELECT file FROM pragma_database_list WHERE name = 'main'";
  return prepare<[], string>(db, sql).pluck().get() ?? "";
}

function applyWrite(caller: Caller, write: Write, scope: Scope): Outcome {
  return caller.savepoints.guard(
    () => {
      if (write.kind === "start" && !write.claim) return caller.writes.starts.apply(write, scope);
      if (write.kind === "message") return caller.writes.messages.apply(write, scope);
      if (write.kind === "emit") return caller.writes.events.emit(write.event, scope);
      throw new StoreError(`a write of kind ${write.kind} can't be part of a caller's transaction`);
    },
    (reason) => ({ is: "refused", reason }),
  );
}
