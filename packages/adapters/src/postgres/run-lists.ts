import {
  InvalidArgumentError,
  type Page,
  type PageRequest,
  type RunFilter,
  type RunRecord,
} from "@everstep/core";
import type { Database } from "./database.ts";
import { countQuery, pageQuery } from "./run-filter.ts";

interface Row {
  readonly at: string;
  readonly place: string | null;
  readonly answer: string | null;
}

/** Lists runs in the order in which they were created, page by page. */
export class RunLists {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async page(filter: RunFilter, page: PageRequest): Promise<Page> {
    if (page.after !== undefined && !/^\d{1,18}\.\d{1,18}$/.test(page.after)) {
      throw new InvalidArgumentError(
        `${JSON.stringify(page.after)} is not the "next" of a page of this store`,
      );
    }
    const { text, values } = pageQuery(filter, page);
    const rows = await this.#database.query<Row>(text, values);
    const found = rows.filter(({ answer }) => answer !== null);
    const shown = found.slice(0, page.limit);
    return {
      now: Number(rows[0]?.at ?? 0),
      runs: shown.map(({ answer }) => JSON.parse(answer ?? "") as RunRecord),
      next: found.length > page.limit ? (shown.at(-1)?.place ?? null) : null,
    };
  }

  async count(filter: RunFilter): Promise<number> {
    const { text, values } = countQuery(filter);
    const [row] = await this.#database.query<{ answer: string }>(text, values);
    return Number(row?.answer ?? 0);
  }
}
