import type { PageRequest, RunFilter, RunStatus } from "@everstep/core";
import { RUN_COLUMNS } from "./run-rows.ts";
import type { Value } from "./statement.ts";

/** SQL with the values of its parameters. Nothing that a caller gave is ever part of the text. */
export interface Query {
  readonly sql: string;
  readonly parameters: readonly Value[];
}

/** Each is `statusOf` of core in SQL; a test compares them. The parameter is the store's now. */
const STATUS_CONDITIONS: Readonly<Record<RunStatus, string>> = {
  completed: "r.ended = 'completed'",
  failed: "r.ended = 'failed'",
  canceled: "r.ended = 'canceled'",
  stuck: "r.ended IS NULL AND r.stuck IS NOT NULL",
  compensating: "r.ended IS NULL AND r.stuck IS NULL AND r.phase <> 'forward'",
  running: "r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NOT NULL",
  ready: "r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NULL AND r.due_at <= ?1",
  waiting:
    "r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NULL AND (r.due_at IS NULL OR r.due_at > ?1)",
};

const ENDED: ReadonlySet<RunStatus> = new Set(["completed", "failed", "canceled"]);
const UNHAPPY: ReadonlySet<RunStatus> = new Set(["failed", "canceled"]);

/** One page of runs, and one run more if there is a next page. */
export function pageQuery(filter: RunFilter, page: PageRequest, now: number): Query {
  const where = new Conditions(now);
  const from = addFilter(where, filter);
  const order = page.order === "oldest" ? { than: ">", by: "ASC" } : { than: "<", by: "DESC" };
  // `t.run` and `r.no` are equal; the driving one gives the order without a sort.
  const no = from.includes("everstep_tags") ? "t.run" : "r.no";
  if (page.after !== undefined) where.add(`${no} ${order.than} ?`, Number(page.after));
  const limit = where.parameter(page.limit + 1);
  return where.query(`SELECT ${RUN_COLUMNS} FROM ${from}`, `ORDER BY ${no} ${order.by} LIMIT ${limit}`);
}

export function countQuery(filter: RunFilter, now: number): Query {
  const where = new Conditions(now);
  const from = addFilter(where, filter);
  return where.query(`SELECT count(*) AS count FROM ${from}`, "");
}

/** Conditions that are all to hold; `?` in their text stands for their value. */
class Conditions {
  readonly #terms: string[] = [];
  readonly #parameters: Value[];

  constructor(now: number) {
    this.#parameters = [now];
  }

  add(term: string, ...values: readonly Value[]): void {
    let next = 0;
    this.#terms.push(term.replaceAll(/\?(?!\d)/g, () => this.parameter(values[next++] ?? null)));
  }

  parameter(value: Value): string {
    return `?${this.#parameters.push(value)}`;
  }

  query(head: string, tail: string): Query {
    // The first parameter is always used, since SQLite refuses values that no parameter takes.
    const where = ["?1 IS NOT NULL", ...this.#terms].join(" AND ");
    return { sql: `${head} WHERE ${where} ${tail}`, parameters: this.#parameters };
  }
}

/** Adds the filter's conditions; answers the FROM with the one index that finds the least, since SQLite has no statistics here. */
function addFilter(where: Conditions, filter: RunFilter): string {
  const statuses = filter.status === undefined ? undefined : [filter.status].flat();
  const tags = Object.entries(filter.tag ?? {});
  if (filter.ids !== undefined)
    where.add("r.id IN (SELECT value FROM json_each(?))", JSON.stringify(filter.ids));
  if (filter.workflow !== undefined) where.add("r.workflow = ?", filter.workflow);
  if (filter.since !== undefined) where.add("r.created_at >= ?", filter.since);
  if (filter.until !== undefined) where.add("r.created_at < ?", filter.until);
  if (statuses !== undefined) addStatuses(where, statuses);
  if (filter.ids !== undefined) {
    addTags(where, tags);
    return "everstep_runs r INDEXED BY everstep_runs_id";
  }
  const index = statuses === undefined ? undefined : statusIndex(statuses);
  if (index?.isSmall === true || tags.length === 0) {
    addTags(where, tags);
    return `everstep_runs r ${sourceOf(index?.name, filter)}`;
  }
  const [[name, value] = ["", ""], ...others] = tags;
  where.add("t.name = ? AND t.value = ?", name, value);
  addTags(where, others);
  return "everstep_tags t INDEXED BY everstep_tags_value CROSS JOIN everstep_runs r ON r.no = t.run";
}

function addStatuses(where: Conditions, statuses: readonly RunStatus[]): void {
  // A partial index is used only when its own condition is spelled out.
  if (statuses.length === 0) where.add("0");
  else if (statuses.every((status) => !ENDED.has(status))) where.add("r.ended IS NULL");
  else if (statuses.every((status) => UNHAPPY.has(status))) where.add("r.ended IN ('failed', 'canceled')");
  if (statuses.length > 0 && statuses.every((status) => status === "stuck")) where.add("r.stuck IS NOT NULL");
  if (statuses.length > 0)
    where.add(`(${statuses.map((status) => `(${STATUS_CONDITIONS[status]})`).join(" OR ")})`);
}

function addTags(where: Conditions, tags: readonly (readonly [string, string])[]): void {
  for (const [name, value] of tags) {
    where.add(
      "EXISTS (SELECT 1 FROM everstep_tags o WHERE o.run = r.no AND o.name = ? AND o.value = ?)",
      name,
      value,
    );
  }
}

interface StatusIndex {
  readonly name: string;
  /** It holds so few runs that no other index is better. */
  readonly isSmall: boolean;
}

function statusIndex(statuses: readonly RunStatus[]): StatusIndex | undefined {
  if (statuses.length === 0) return undefined;
  if (statuses.every((status) => status === "stuck")) return { name: "everstep_runs_stuck", isSmall: true };
  if (statuses.every((status) => !ENDED.has(status))) return { name: "everstep_runs_live", isSmall: false };
  if (statuses.every((status) => UNHAPPY.has(status)))
    return { name: "everstep_runs_unhappy", isSmall: false };
  return undefined;
}

function sourceOf(index: string | undefined, filter: RunFilter): string {
  if (index !== undefined) return `INDEXED BY ${index}`;
  return filter.workflow === undefined ? "NOT INDEXED" : "INDEXED BY everstep_runs_workflow";
}
