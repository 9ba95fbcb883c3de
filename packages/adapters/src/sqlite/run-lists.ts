import type { Database } from "better-sqlite3";
import { InvalidArgumentError, type Page, type PageRequest, type RunFilter } from "@everstep/core";
import { countQuery, fewEndedQuery, pageQuery, type Query } from "./run-filter.ts";
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
    const { sql, parameters } = pageQuery(filter, page, now, this.#hasFewEnded(filter));
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
    return this.#number(countQuery(filter, now));
  }

  #hasFewEnded(filter: RunFilter): boolean {
    const query = fewEndedQuery(filter);
    return query !== undefined && this.#number(query) === 1;
  }

  #number({ sql, parameters }: Query): number {
    const statement = prepare<Value[], number>(this.#db, sql).pluck();
    return statement.get(...parameters) ?? 0;
  }
}
