import type { Database } from "better-sqlite3";
import type { Hint, Interest } from "@everstep/core";
import { prepare } from "./statement.ts";

/** How soon a change by another process is noticed. A look takes some microseconds and no lock. */
const LOOK_EVERY_MS = 25;

interface Watcher {
  readonly listener: (hint: Hint) => void;
  readonly interest: Interest | undefined;
}

/** What a commit did: runs that became due or got a message, and those that ended or are stuck. */
interface News {
  readonly changed: readonly string[];
  readonly over: readonly string[];
}

/** Tells watchers that something may have changed (S10): at once what this store did, within a moment what others did. */
export class Watching {
  readonly #db: Database;
  readonly #dataVersion;
  readonly #watchers = new Set<Watcher>();
  #timer: NodeJS.Timeout | undefined;
  #seen: number | undefined;
  #changed: string[] = [];
  #over: string[] = [];
  #pending: NodeJS.Immediate | undefined;

  constructor(db: Database) {
    this.#db = db;
    // Changes with every commit of another connection, in this process or another one, but not with our own.
    this.#dataVersion = prepare<[], number>(db, "PRAGMA data_version").pluck();
  }

  add(listener: (hint: Hint) => void, interest?: Interest): () => void {
    const watcher = { listener, interest };
    this.#watchers.add(watcher);
    this.#timer ??= this.#start();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.close();
    };
  }

  /** After a commit. Delivered on the next macrotask, many commits at once. */
  tell({ changed, over }: News): void {
    if (changed.length + over.length === 0 || this.#watchers.size === 0) return;
    this.#changed.push(...changed);
    this.#over.push(...over);
    this.#pending ??= setImmediate(() => this.#deliver());
  }

  /** Something changed, and nobody knows what. */
  tellAll(): void {
    for (const { listener } of this.#watchers) listener({});
  }

  close(): void {
    this.#watchers.clear();
    clearInterval(this.#timer);
    clearImmediate(this.#pending);
    this.#timer = undefined;
    this.#pending = undefined;
    this.#changed = [];
    this.#over = [];
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
    const [work, ends] = [this.#changed, this.#over];
    this.#changed = [];
    this.#over = [];
    this.#pending = undefined;
    for (const { listener, interest } of this.#watchers) {
      const runIds = interest === undefined ? [...work, ...ends] : interest === "work" ? work : ends;
      if (runIds.length > 0) listener({ runIds });
    }
  }
}
