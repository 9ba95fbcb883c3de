import type { PageRequest, RunFilter, RunStatus } from "@everstep/core";
import { RUN_COLUMNS } from "./run-rows.ts";
import type { Value } from "./statement.ts";

/** SQL with the values of its parameters. Nothing that a caller gave is ever part of the text. */
export interface Query {
  readonly sql: string;
  readonly parameters: readonly Value[];
}

/** Each is `statusOf` of core in SQL; a test compares them. A parameter stands for the store's now. */
const STATUS_CONDITIONS: Readonly<Record<RunStatus, string>> = {
  completed: "r.ended = 'completed'",
  failed: "r.ended = 'failed'",
  canceled: "r.ended = 'canceled'",
  stuck: "r.ended IS NULL AND r.stuck IS NOT NULL",
  compensating: "r.ended IS NULL AND r.stuck IS NULL AND r.phase <> 'forward'",
  running: "r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NOT NULL",
  ready: "r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NULL AND r.due_at <= ?",
  waiting:
    "r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NULL AND (r.due_at IS NULL OR r.due_at > ?)",
};

const ENDED: ReadonlySet<RunStatus> = new Set(["completed", "failed", "canceled"]);
const UNHAPPY: ReadonlySet<RunStatus> = new Set(["failed", "canceled"]);

/** One page of runs, and one run more if there is a next page. */
export function pageQuery(filter: RunFilter, page: PageRequest, now: number): Query {
  const where = new Conditions();
  const from = addFilter(where, filter, now);
  const order = page.order === "oldest" ? { than: ">", by: "ASC" } : { than: "<", by: "DESC" };
  // `t.run` and `r.no` are equal; the driving one gives the order without a sort.
  const no = from.includes("everstep_tags") ? "t.run" : "r.no";
  if (page.after !== undefined) where.add(`${no} ${order.than} ?`, Number(page.after));
  return {
    sql: `SELECT ${RUN_COLUMNS} FROM ${from} ${where.sql} ORDER BY ${no} ${order.by} LIMIT ?`,
    parameters: [...where.parameters, page.limit + 1],
  };
}

export function countQuery(filter: RunFilter, now: number): Query {
  const where = new Conditions();
  const from = addFilter(where, filter, now);
  return { sql: `SELECT count(*) AS count FROM ${from} ${where.sql}`, parameters: where.parameters };
}

/** Conditions that all must hold, with the values of their parameters in the order of the text. */
class Conditions {
  readonly #terms: string[] = [];
  readonly parameters: Value[] = [];

  add(term: string, ...values: readonly Value[]): void {
    this.#terms.push(term);
    this.parameters.push(...values);
  }

  get sql(): string {
    return this.#terms.length === 0 ? "" : `WHERE ${this.#terms.join(" AND ")}`;
  }
}

/** Adds the filter's conditions; answers the FROM with the one index that finds the least, since SQLite has no statistics here. */
function addFilter(where: Conditions, filter: RunFilter, now: number): string {
  const statuses = filter.status === undefined ? undefined : [filter.status].flat();
  const tags = Object.entries(filter.tag ?? {});
  if (filter.ids !== undefined)
    where.add("r.id IN (SELECT value FROM json_each(?))", JSON.stringify(filter.ids));
  if (filter.workflow !== undefined) where.add("r.workflow = ?", filter.workflow);
  if (filter.version !== undefined) where.add("r.version = ?", filter.version);
  if (filter.parent !== undefined) where.add("r.parent = ?", filter.parent);
  if (filter.paused !== undefined) where.add(`r.paused IS ${filter.paused ? "NOT " : ""}NULL`);
  if (filter.endedBefore !== undefined) where.add("r.ended_at < ?", filter.endedBefore);
  if (filter.since !== undefined) where.add("r.created_at >= ?", filter.since);
  if (filter.until !== undefined) where.add("r.created_at < ?", filter.until);
  if (statuses !== undefined) addStatuses(where, statuses, now);
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

function addStatuses(where: Conditions, statuses: readonly RunStatus[], now: number): void {
  if (statuses.length === 0) return where.add("0");
  // A partial index is used only when its own condition is spelled out.
  if (statuses.every((status) => status === "stuck")) where.add("r.stuck IS NOT NULL");
  else if (statuses.every((status) => status === "running")) where.add("r.owner IS NOT NULL");
  else if (statuses.every((status) => !ENDED.has(status))) where.add("r.ended IS NULL");
  else if (statuses.every((status) => UNHAPPY.has(status))) where.add("r.ended IN ('failed', 'canceled')");
  const either = statuses.map((status) => `(${STATUS_CONDITIONS[status]})`).join(" OR ");
  where.add(`(${either})`, ...Array.from(either.matchAll(/\?/g), () => now));
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
  if (statuses.every((status) => status === "running")) return { name: "everstep_runs_owned", isSmall: true };
  if (statuses.every((status) => !ENDED.has(status))) return { name: "everstep_runs_live", isSmall: false };
  if (statuses.every((status) => UNHAPPY.has(status)))
    return { name: "everstep_runs_unhappy", isSmall: false };
  return undefined;
}

function sourceOf(index: string | undefined, filter: RunFilter): string {
  if (index !== undefined) return `INDEXED BY ${index}`;
  return filter.workflow === undefined ? "NOT INDEXED" : "INDEXED BY everstep_runs_workflow";
}
