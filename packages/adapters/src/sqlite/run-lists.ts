import type { Database } from "better-sqlite3";
import { InvalidArgumentError, type Page, type PageRequest, type RunFilter } from "@everstep/core";
import { countQuery, pageQuery } from "./run-filter.ts";
import { type RunRow, toRun } from "./run-rows.ts";
import { prepare, type Value } from "./statement.ts";

/** Lists runs in the order in which they were created, page by page. */
export class RunLists {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  page(filter: RunFilter, page: PageRequest, now: number): Page {
    if (page.after !== undefined && !/^\d{1,15}$/.test(page.after)) {
      throw new InvalidArgumentError(
        `${JSON.stringify(page.after)} is not the "next" of a page of this store`,
      );
    }
    const { sql, parameters } = pageQuery(filter, page, now);
    const rows = prepare<Value[], RunRow>(this.#db, sql).all(...parameters);
    const runs = rows.slice(0, page.limit);
    const last = runs.at(-1);
    return {
      now,
      runs: runs.map(toRun),
      next: rows.length > page.limit && last !== undefined ? String(last.no) : null,
    };
  }

  count(filter: RunFilter, now: number): number {
    const { sql, parameters } = countQuery(filter, now);
    return (
      prepare<Value[], number>(this.#db, sql)
        .pluck()
        .get(...parameters) ?? 0
    );
  }
}
