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

/** Of how many matches a page is sorted, instead of going through all runs in order. */
const FEW = 10_000;

/**
 * Whether few runs ended before the filter's instant, as they do where old ones are purged. They are best found by when they
 * ended; many are best found in the order of the page, of which each makes up a part. Undefined where that is no question.
 */
export function fewEndedQuery(filter: RunFilter): Query | undefined {
  const { workflow, endedBefore, ids, idPrefix, tag, parent, paused } = filter;
  if (workflow === undefined || endedBefore === undefined) return undefined;
  if (ids !== undefined || idPrefix !== undefined) return undefined;
  if (parent !== undefined || paused === true || Object.keys(tag ?? {}).length > 0) return undefined;
  const statuses = endsOf(filter);
  if (statuses.length === 0) return undefined;
  return {
    sql: `SELECT count(*) <= ${FEW} FROM (SELECT 1 FROM everstep_runs r INDEXED BY everstep_runs_ended
      WHERE r.workflow = ? AND r.ended IN (${listOf(statuses)}) AND r.ended_at < ? LIMIT ${FEW + 1})`,
    parameters: [workflow, endedBefore],
  };
}

/** One page of runs, and one run more if there is a next page. `fewEnded`: the answer of `fewEndedQuery`. */
export function pageQuery(filter: RunFilter, page: PageRequest, now: number, fewEnded = false): Query {
  const by = page.order === "oldest" ? "ASC" : "DESC";
  const sides = fewEnded ? [filter] : sidesOf(filter);
  const [first, second] = sides.map((side) => restQuery(side, page, now, fewEnded));
  const { sql = "", parameters = [] } = first ?? {};
  if (second === undefined && !fewEnded && filter.idPrefix === undefined)
    return { sql: `SELECT ${RUN_COLUMNS} ${sql}`, parameters };
  // What is sorted are numbers: rows with all that belongs to them could be of any size.
  const numbers =
    second === undefined
      ? `SELECT r.no ${sql}`
      : `SELECT no FROM (SELECT r.no ${sql}) UNION ALL SELECT no FROM (SELECT r.no ${second.sql}) ORDER BY no ${by} LIMIT ?`;
  return {
    sql: `SELECT ${RUN_COLUMNS} FROM everstep_runs r WHERE r.no IN (${numbers}) ORDER BY r.no ${by}`,
    parameters: second === undefined ? parameters : [...parameters, ...second.parameters, page.limit + 1],
  };
}

/** From FROM on. */
function restQuery(filter: RunFilter, page: PageRequest, now: number, fewEnded: boolean): Query {
  const where = new Conditions();
  const { from, no } = addFilter(where, filter, now, fewEnded);
  const order = page.order === "oldest" ? { than: ">", by: "ASC" } : { than: "<", by: "DESC" };
  if (page.after !== undefined) where.add(`${no} ${order.than} ?`, Number(page.after));
  return {
    sql: `FROM ${from} ${where.sql} ORDER BY ${no} ${order.by} LIMIT ?`,
    parameters: [...where.parameters, page.limit + 1],
  };
}

/**
 * What lives and what came to a bad end are in indexes of their own, and both are few: runs that "need a person" are looked for in each,
 * instead of among all that ended well.
 */
function sidesOf(filter: RunFilter): readonly RunFilter[] {
  const { status, ids, idPrefix, parent, tag = {} } = filter;
  const statuses = status === undefined ? [] : [status].flat();
  const unhappy = statuses.filter((one) => UNHAPPY.has(one));
  const live = statuses.filter((one) => !ENDED.has(one));
  const hasBetter =
    ids !== undefined || idPrefix !== undefined || parent !== undefined || Object.keys(tag).length > 0;
  if (hasBetter || unhappy.length === 0 || live.length === 0) return [filter];
  if (statuses.includes("completed")) return [filter];
  return [
    { ...filter, status: live },
    { ...filter, status: unhappy },
  ];
}

export function countQuery(filter: RunFilter, now: number): Query {
  const counts = sidesOf(filter).map((side) => {
    const where = new Conditions();
    const { from } = addFilter(where, side, now, fewEndedQuery(side) !== undefined);
    return { sql: `SELECT count(*) AS count FROM ${from} ${where.sql}`, parameters: where.parameters };
  });
  const [only, second] = counts;
  if (only !== undefined && second === undefined) return only;
  return {
    sql: `SELECT ${counts.map(({ sql }) => `(${sql})`).join(" + ")} AS count`,
    parameters: counts.flatMap(({ parameters }) => parameters),
  };
}

/** The ends that runs of the filter can have. */
function endsOf({ status }: RunFilter): readonly RunStatus[] {
  const statuses = status === undefined ? [...ENDED] : [status].flat();
  return statuses.filter((one) => ENDED.has(one));
}

function listOf(statuses: readonly RunStatus[]): string {
  return statuses.map((status) => `'${status}'`).join();
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

/** Where a query begins. `no` is the run's number there: equal everywhere, but the first table's gives the order without a sort. */
interface Source {
  readonly from: string;
  readonly no: string;
}

/** Adds the filter's conditions; answers the FROM with the one index that finds the least, since SQLite has no statistics here. */
function addFilter(where: Conditions, filter: RunFilter, now: number, fewEnded: boolean): Source {
  const statuses = filter.status === undefined ? undefined : [filter.status].flat();
  const tags = Object.entries(filter.tag ?? {});
  addTerms(where, filter);
  if (statuses !== undefined) addStatuses(where, statuses, now);
  if (fewEnded) where.add(`r.ended IN (${listOf(endsOf(filter))})`);
  const index = indexOf(filter, statuses, fewEnded);
  if (index?.isSmall === true || (tags.length === 0 && filter.parent === undefined)) {
    if (filter.parent !== undefined) where.add(IS_CHILD, filter.parent);
    addTags(where, tags);
    return { from: `everstep_runs r ${sourceOf(index?.name, filter)}`, no: "r.no" };
  }
  if (filter.parent !== undefined) {
    where.add("g.parent = ?", filter.parent);
    addTags(where, tags);
    return {
      from: "everstep_origins g INDEXED BY everstep_origins_parent CROSS JOIN everstep_runs r ON r.no = g.run",
      no: "g.run",
    };
  }
  const [[name, value] = ["", ""], ...others] = tags;
  where.add("t.name = ? AND t.value = ?", name, value);
  addTags(where, others);
  return {
    from: "everstep_tags t INDEXED BY everstep_tags_value CROSS JOIN everstep_runs r ON r.no = t.run",
    no: "t.run",
  };
}

const IS_CHILD = "EXISTS (SELECT 1 FROM everstep_origins g WHERE g.run = r.no AND g.parent = ?)";

function addTerms(where: Conditions, filter: RunFilter): void {
  const { ids, idPrefix, workflow, version, paused, since, until, endedBefore } = filter;
  if (ids !== undefined) where.add("r.id IN (SELECT value FROM json_each(?))", JSON.stringify(ids));
  // Ids are ordered by their bytes; after the last character of all there is nothing to find.
  if (idPrefix !== undefined) where.add("r.id >= ? AND r.id < ?", idPrefix, `${idPrefix}\u{10ffff}`);
  if (workflow !== undefined) where.add("r.workflow = ?", workflow);
  if (version !== undefined) where.add("r.version = ?", version);
  if (paused !== undefined) where.add(`r.paused IS ${paused ? "NOT " : ""}NULL`);
  if (since !== undefined) where.add("r.created_at >= ?", since);
  if (until !== undefined) where.add("r.created_at < ?", until);
  if (endedBefore !== undefined) where.add("r.ended_at < ?", endedBefore);
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

interface RunIndex {
  readonly name: string;
  /** It holds so few runs that no other index is better. */
  readonly isSmall: boolean;
}

function indexOf(
  { ids, idPrefix, paused }: RunFilter,
  statuses: readonly RunStatus[] | undefined,
  fewEnded: boolean,
): RunIndex | undefined {
  if (ids !== undefined || idPrefix !== undefined) return { name: "everstep_runs_id", isSmall: true };
  if (fewEnded) return { name: "everstep_runs_ended", isSmall: true };
  const byStatus = statuses === undefined ? undefined : statusIndex(statuses);
  if (byStatus?.isSmall === true || paused !== true) return byStatus;
  return { name: "everstep_runs_paused", isSmall: true };
}

function statusIndex(statuses: readonly RunStatus[]): RunIndex | undefined {
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
