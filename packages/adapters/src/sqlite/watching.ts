import type { Database } from "better-sqlite3";
import type { Hint } from "@everstep/core";
import { prepare } from "./statement.ts";

/** How soon a change by another process is noticed. A look takes some microseconds and no lock. */
const LOOK_EVERY_MS = 25;

/** Tells watchers that something may have changed (S10): at once what this store did, within a moment what others did. */
export class Watching {
  readonly #db: Database;
  readonly #dataVersion;
  readonly #listeners = new Set<(hint: Hint) => void>();
  #timer: NodeJS.Timeout | undefined;
  #seen: number | undefined;
  #changed: string[] = [];
  #pending: NodeJS.Immediate | undefined;

  constructor(db: Database) {
    this.#db = db;
    // Changes with every commit of another connection, in this process or another one, but not with our own.
    this.#dataVersion = prepare<[], number>(db, "PRAGMA data_version").pluck();
  }

  add(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    this.#timer ??= this.#start();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.close();
    };
  }

  /** After a commit: these runs became due, ended or got a message. Delivered on the next macrotask, many commits at once. */
  tell(runIds: readonly string[]): void {
    if (runIds.length === 0 || this.#listeners.size === 0) return;
    this.#changed.push(...runIds);
    this.#pending ??= setImmediate(() => this.#deliver());
  }

  /** Something changed, and nobody knows what. */
  tellAll(): void {
    for (const listener of this.#listeners) listener({});
  }

  close(): void {
    this.#listeners.clear();
    clearInterval(this.#timer);
    clearImmediate(this.#pending);
    this.#timer = undefined;
    this.#pending = undefined;
    this.#changed = [];
  }

  #start(): NodeJS.Timeout {
    this.#seen = this.#dataVersion.get();
    return setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  #look(): void {
    const before = this.#seen;
    try {
      if (!this.#db.inTransaction) this.#seen = this.#dataVersion.get();
    } catch {
      // A hint may be late; what is wrong with the file is said by those who need it.
      return;
    }
    if (this.#seen !== before) this.tellAll();
  }

  #deliver(): void {
    const runIds = this.#changed;
    this.#changed = [];
    this.#pending = undefined;
    for (const listener of this.#listeners) listener({ runIds });
  }
}
