import type { PageRequest, RunFilter, RunStatus } from "@everstep/core";
import { runJson } from "./sql-read.ts";
import { NOW } from "./sql.ts";

/** SQL with the values of its parameters. Nothing that a caller gave is ever part of the text. */
export interface Query {
  readonly text: string;
  readonly values: readonly (string | number | boolean | null)[];
}

/** Each is `statusOf` of core in SQL; a test compares them. */
const STATUS_CONDITIONS: Readonly<Record<RunStatus, string>> = {
  completed: "r.ended = 'completed'",
  failed: "r.ended = 'failed'",
  canceled: "r.ended = 'canceled'",
  stuck: "r.ended IS NULL AND r.stuck IS NOT NULL",
  compensating: "r.ended IS NULL AND r.stuck IS NULL AND r.phase <> 'forward'",
  running: "r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NOT NULL",
  ready: `r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NULL AND r.due_at <= c.now`,
  waiting: `r.ended IS NULL AND r.stuck IS NULL AND r.phase = 'forward' AND r.owner IS NULL AND (r.due_at IS NULL OR r.due_at > c.now)`,
};

const ENDED: ReadonlySet<RunStatus> = new Set(["completed", "failed", "canceled"]);
const UNHAPPY: ReadonlySet<RunStatus> = new Set(["failed", "canceled"]);

/**
 * The time of reading first, then one page of runs, and one run more if there is a next page. Runs that live and runs that have ended are
 * in indexes of their own: a single one of all would be written with each claim and each parking.
 */
export function pageQuery(filter: RunFilter, page: PageRequest): Query {
  const where = conditionsOf(filter);
  const order = page.order === "oldest" ? { than: ">", by: "ASC" } : { than: "<", by: "DESC" };
  if (page.after !== undefined) {
    const row = (at = "", no = ""): string =>
      `(r.created_at, r.no) ${order.than} (${at}::bigint, ${no}::bigint)`;
    where.add(row, ...page.after.split("."));
  }
  const limit = where.hole(page.limit + 1);
  const by = (row: string): string => `ORDER BY ${row}.created_at ${order.by}, ${row}.no ${order.by}`;
  const sides = sidesOf(filter).map(
    (side) =>
      `(SELECT r.created_at, r.no FROM everstep.runs r, c ${where.sqlWith(side)} ${by("r")} LIMIT ${limit}::bigint)`,
  );
  return {
    text: `WITH c AS MATERIALIZED (SELECT ${NOW} AS now), p AS MATERIALIZED (
        SELECT * FROM (${sides.join(" UNION ALL ")}) p ${by("p")} LIMIT ${limit}::bigint
      )
      SELECT c.now AS at, p.created_at || '.' || p.no AS place, p.answer FROM c LEFT JOIN (
        SELECT p.created_at, p.no, ${runJson("r")}::text AS answer FROM p
        CROSS JOIN LATERAL (SELECT * FROM everstep.runs r WHERE r.no = p.no OFFSET 0) r
      ) p ON true ${by("p")}`,
    values: where.values,
  };
}

/** Each for itself, unless all that is asked for is of one of them. */
function sidesOf({ status }: RunFilter): readonly string[] {
  const [live, over] = ["r.ended IS NULL", "r.ended IS NOT NULL"];
  const statuses = status === undefined ? [] : [status].flat();
  if (statuses.length === 0) return [live, over];
  if (statuses.every((one) => ENDED.has(one))) return [over];
  return statuses.some((one) => ENDED.has(one)) ? [live, over] : [live];
}

export function countQuery(filter: RunFilter): Query {
  const where = conditionsOf(filter);
  return {
    text: `WITH c AS MATERIALIZED (SELECT ${NOW} AS now)
      SELECT count(*)::text AS answer FROM c, everstep.runs r ${where.sql}`,
    values: where.values,
  };
}

/** Conditions that all must hold, with the values of their parameters. */
class Conditions {
  readonly #terms: string[] = [];
  readonly values: (string | number)[] = [];

  /** Where the value goes. */
  hole(value: string | number): string {
    return `$${this.values.push(value)}`;
  }

  add(term: (...holes: readonly string[]) => string, ...values: readonly (string | number)[]): void {
    this.#terms.push(term(...values.map((value) => this.hole(value))));
  }

  get sql(): string {
    return this.#terms.length === 0 ? "" : `WHERE ${this.#terms.join(" AND ")}`;
  }

  sqlWith(term: string): string {
    return `WHERE ${[...this.#terms, term].join(" AND ")}`;
  }
}

function conditionsOf(filter: RunFilter): Conditions {
  const { ids, idPrefix, status, workflow, version, parent, paused, tag, since, until, endedBefore } = filter;
  const where = new Conditions();
  if (ids !== undefined)
    where.add((hole) => `r.id IN (SELECT json_array_elements_text(${hole}::json))`, JSON.stringify(ids));
  if (idPrefix !== undefined)
    where.add((from = "", to = "") => `r.id >= ${from} AND r.id < ${to}`, ...rangeOf(idPrefix));
  if (workflow !== undefined) where.add((hole) => `r.workflow = ${hole}`, workflow);
  if (version !== undefined) where.add((hole) => `r.version = ${hole}`, version);
  if (parent !== undefined) where.add((hole) => `r.parent = ${hole}`, parent);
  if (paused !== undefined) where.add(() => `r.paused IS ${paused ? "NOT NULL" : "NULL"}`);
  // It was created before that: so they are found by their workflow's index without looking at what came later.
  if (endedBefore !== undefined)
    where.add((hole) => `r.ended_at < ${hole} AND r.created_at < ${hole}`, Math.ceil(endedBefore));
  if (since !== undefined) where.add((hole) => `r.created_at >= ${hole}`, Math.ceil(since));
  if (until !== undefined) where.add((hole) => `r.created_at < ${hole}`, Math.ceil(until));
  if (status !== undefined) addStatuses(where, [status].flat());
  for (const [name, value] of Object.entries(tag ?? {})) {
    where.add(
      (n = "", v = "") =>
        `r.no IN (SELECT t.run FROM everstep.tags t WHERE t.name = ${n} AND t.value = ${v})`,
      name,
      value,
    );
  }
  return where;
}

function addStatuses(where: Conditions, statuses: readonly RunStatus[]): void {
  if (statuses.length === 0) return where.add(() => "false");
  // A partial index is used only when its own condition is spelled out.
  if (statuses.every((status) => status === "stuck")) where.add(() => "r.stuck IS NOT NULL");
  else if (statuses.every((status) => status === "running")) where.add(() => "r.owner IS NOT NULL");
  else if (statuses.every((status) => !ENDED.has(status))) where.add(() => "r.ended IS NULL");
  else if (statuses.every((status) => UNHAPPY.has(status)))
    where.add(() => "r.ended IN ('failed', 'canceled')");
  where.add(() => `(${statuses.map((status) => `(${STATUS_CONDITIONS[status]})`).join(" OR ")})`);
}

/** Ids are ordered by their bytes; the last character of all, after which there is nothing to find, ends the range. */
function rangeOf(prefix: string): readonly [from: string, to: string] {
  return [prefix, `${prefix}\u{10ffff}`];
}
