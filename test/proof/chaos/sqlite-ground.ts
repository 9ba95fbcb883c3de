import { existsSync, readFileSync } from "node:fs";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { type Context, type Store, StoreUnavailableError } from "@everstep/core";
import { sqlite, transaction } from "@everstep/adapters/sqlite";
import type { Evidence, Posting } from "./evidence.ts";
import type { Ground } from "./ground.ts";

/** The application's own connection meets a full disk as well. */
const OUTAGE_CODES = /^SQLITE_(?:FULL|IOERR|CANTOPEN|BUSY)/;

/** No constraint: a row too many is to be seen. */
const APPLICATION_SCHEMA = `
  CREATE TABLE postings (no INTEGER PRIMARY KEY, run TEXT NOT NULL, step TEXT NOT NULL, token TEXT NOT NULL) STRICT;
  CREATE TABLE requests (run TEXT PRIMARY KEY) STRICT`;

export class SqliteGround implements Ground {
  readonly store: Store;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.store = sqlite(file);
  }

  async createApplication(): Promise<void> {
    this.#with({}, (db) => {
      db.pragma("journal_mode = WAL");
      db.exec(APPLICATION_SCHEMA);
    });
  }

  post(ctx: Context, name: string): Promise<string> {
    return transaction(ctx, name, (db): string => {
      const insert = db.prepare<[string, string], { token: string }>(
        "INSERT INTO postings (run, step, token) VALUES (?, ?, hex(randomblob(8))) RETURNING token",
      );
      return insert.get(ctx.run.id, name)?.token ?? "";
    });
  }

  async request(run: string, start: (tx: unknown) => Promise<unknown>): Promise<void> {
    let started: Promise<unknown> | undefined;
    const db = new SqliteDatabase(this.#file);
    const both = db.transaction(() => {
      db.prepare("INSERT OR IGNORE INTO requests (run) VALUES (?)").run(run);
      started = start(db);
    });
    try {
      db.pragma("synchronous = FULL");
      both.immediate();
      await started;
    } finally {
      db.close();
    }
  }

  isOutage(error: unknown): boolean {
    const code = error instanceof SqliteDatabase.SqliteError ? error.code : "";
    return error instanceof StoreUnavailableError || OUTAGE_CODES.test(code);
  }

  async isLive(pid: number): Promise<boolean> {
    const find = "SELECT 1 FROM everstep_workers WHERE pid = ? AND live = 1";
    return this.#with({ readonly: true }, (db) => db.prepare(find).get(pid) !== undefined);
  }

  async readApplication(): Promise<Pick<Evidence, "postings" | "requests" | "integrity" | "liveWorkers">> {
    return this.#with({ readonly: true }, (db) => ({
      postings: db.prepare<[], Posting>("SELECT run, step, token FROM postings").all(),
      requests: db.prepare<[], string>("SELECT run FROM requests").pluck().all(),
      liveWorkers:
        db.prepare<[], number>("SELECT count(*) FROM everstep_workers WHERE live = 1").pluck().get() ?? 0,
      integrity: [
        ...db.prepare<[], string>("PRAGMA integrity_check").pluck().all(),
        ...db.prepare("PRAGMA foreign_key_check").all().map(String),
      ],
    }));
  }

  async find(text: string): Promise<readonly string[]> {
    return [this.#file, `${this.#file}-wal`].filter(
      (file) => existsSync(file) && readFileSync(file).includes(text),
    );
  }

  close(): Promise<void> {
    return this.store.close();
  }

  #with<T>(options: SqliteDatabase.Options, use: (db: Database) => T): T {
    const db = new SqliteDatabase(this.#file, options);
    try {
      return use(db);
    } finally {
      db.close();
    }
  }
}
