import type { RunFilter } from "@everstep/core";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { expect, test } from "vitest";
import { StoreFigures } from "../src/sqlite/figures.ts";
import { countQuery, fewEndedQuery, pageQuery } from "../src/sqlite/run-filter.ts";
import { SqliteStore } from "../src/sqlite/sqlite-store.ts";
import { expectStatusesOfCore } from "./every-status.ts";
import { openStore, tempFile } from "./sqlite-bed.ts";

interface Planned {
  readonly sql: string;
  readonly plan: readonly string[];
}

/** Every statement that a store prepares for its connection, with SQLite's plan for it. */
function statementsOf(
  file: string,
  use: (db: Database) => void = (db) => void new SqliteStore({ db, file, lockWaitMs: 0, now: Date.now }),
): readonly Planned[] {
  const db = new SqliteDatabase(file);
  const seen = new Set<string>();
  const prepare = db.prepare.bind(db);
  const recording = Object.assign(db, {
    prepare: (sql: string) => {
      seen.add(sql);
      return prepare(sql);
    },
  });
  use(recording);
  const queries = [...seen].filter((sql) => /^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)/.test(sql));
  const planned = queries.map((sql) => ({ sql, plan: planOf(db, sql) }));
  db.close();
  return planned;
}

function planOf(db: Database, sql: string): readonly string[] {
  const holes = Array<null>(sql.split("?").length - 1).fill(null);
  const rows = db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...holes);
  return rows.map(({ detail }) => detail);
}

test("no statement of commit, claim, renew, park or read scans a table of everstep", () => {
  const file = tempFile();
  openStore(file);
  const statements = statementsOf(file);
  expect(statements.length).toBeGreaterThan(30);
  const scans = statements.flatMap(({ plan }) =>
    plan.filter((step) => /^SCAN (everstep_|[a-z] ?(USING|$))/.test(step)),
  );
  expect(scans.toSorted()).toEqual([
    // Rows of workers that died within a day: once per join.
    "SCAN everstep_workers",
    // The live workers: by each renewal; to tell how many can run a run; to find the current version of a workflow, once per
    // transaction that needs it.
    "SCAN everstep_workers USING INDEX everstep_workers_live",
    "SCAN everstep_workers USING INDEX everstep_workers_live",
    // Those that are paused, which few ever are.
    "SCAN everstep_workflow_pauses",
    // For a list of them all.
    "SCAN everstep_workflows",
    "SCAN w USING INDEX everstep_workers_live",
  ]);
});

test("F72: claims find what is due by the index of due runs alone, and sort nothing but the levels", () => {
  const file = tempFile();
  openStore(file);
  const claims = statementsOf(file).filter(({ sql }) => sql.includes("everstep_runs_due"));
  expect(claims.length).toBe(2);
  const steps = claims.flatMap(({ plan }) => plan);
  const ofRuns = steps.filter((step) => /SEARCH|everstep/.test(step));
  expect(new Set(ofRuns)).toEqual(
    new Set([
      "SEARCH r USING COVERING INDEX everstep_runs_due (workflow=? AND version=? AND priority<?)",
      "SEARCH r USING COVERING INDEX everstep_runs_due (workflow=? AND version=? AND priority=? AND due_at>?)",
      "SEARCH everstep_runs USING COVERING INDEX everstep_runs_due (workflow=? AND version=? AND priority=? AND due_at<?)",
    ]),
  );
});

const FILTERS: Readonly<Record<string, readonly [filter: RunFilter, firstStep: string]>> = {
  everything: [{}, "SEARCH r USING INTEGER PRIMARY KEY (rowid<?)"],
  "by id": [{ ids: ["a", "b"] }, "SEARCH r USING INDEX everstep_runs_id (id=? AND rowid<?)"],
  "by id and status": [
    { ids: ["a"], status: "running" },
    "SEARCH r USING INDEX everstep_runs_id (id=? AND rowid<?)",
  ],
  stuck: [{ status: "stuck" }, "SEARCH r USING INDEX everstep_runs_stuck (no<?)"],
  "stuck, of one workflow": [
    { status: "stuck", workflow: "order" },
    "SEARCH r USING INDEX everstep_runs_stuck (no<?)",
  ],
  live: [{ status: ["ready", "running", "waiting"] }, "SEARCH r USING INDEX everstep_runs_live (no<?)"],
  "failed or canceled": [
    { status: ["failed", "canceled"] },
    "SEARCH r USING INDEX everstep_runs_unhappy (no<?)",
  ],
  paused: [{ paused: true }, "SEARCH r USING INDEX everstep_runs_paused (no<?)"],
  "paused, of one workflow": [
    { paused: true, status: "waiting", workflow: "order" },
    "SEARCH r USING INDEX everstep_runs_paused (no<?)",
  ],
  "of one parent": [
    { parent: "a" },
    "SEARCH g USING COVERING INDEX everstep_origins_parent (parent=? AND rowid<?)",
  ],
  "failed, of one parent": [
    { parent: "a", status: "failed" },
    "SEARCH g USING COVERING INDEX everstep_origins_parent (parent=? AND rowid<?)",
  ],
  "of one workflow": [
    { workflow: "order" },
    "SEARCH r USING INDEX everstep_runs_workflow (workflow=? AND rowid<?)",
  ],
  tagged: [
    { tag: { city: "Lisbon" } },
    "SEARCH t USING COVERING INDEX everstep_tags_value (name=? AND value=? AND run<?)",
  ],
  "tagged twice and completed": [
    { tag: { city: "Lisbon", size: "m" }, status: "completed" },
    "SEARCH t USING COVERING INDEX everstep_tags_value (name=? AND value=? AND run<?)",
  ],
};

for (const [what, [filter, firstStep]] of Object.entries(FILTERS)) {
  test(`a list of runs, ${what}, uses the index that fits and does not sort`, () => {
    const file = tempFile();
    openStore(file);
    const db = new SqliteDatabase(file);
    const plan = planOf(db, pageQuery(filter, { limit: 10, after: "5" }, 0).sql);
    const oldest = planOf(db, pageQuery(filter, { limit: 10, after: "5", order: "oldest" }, 0).sql);
    const counting = planOf(db, countQuery(filter, 0).sql);
    db.close();
    expect(plan[0]).toBe(firstStep);
    expect(oldest[0]).toBe(firstStep.replace("<", ">"));
    // A few ids are sorted; nothing else may be.
    if (filter.ids === undefined) expect([...plan, ...oldest].join()).not.toContain("TEMP B-TREE");
    const [, index] = /(everstep_\w+)/.exec(firstStep) ?? [];
    expect(counting[0]).toMatch(index ?? /^SCAN/);
  });
}

test("what ended before an instant is found by it, whether few or many runs did", () => {
  const file = tempFile();
  openStore(file);
  const db = new SqliteDatabase(file);
  const filter = { workflow: "order", status: ["completed", "failed"], endedBefore: 1 } as const;
  const page = { limit: 10, order: "oldest" } as const;
  const found = "SEARCH r USING COVERING INDEX everstep_runs_ended (workflow=? AND ended=? AND ended_at<?)";
  const few = planOf(db, pageQuery(filter, page, 0, true).sql);
  const many = planOf(db, pageQuery(filter, page, 0, false).sql);
  const counts = [fewEndedQuery(filter), countQuery(filter, 0)].map(
    (query) => planOf(db, query?.sql ?? "")[0],
  );
  db.close();
  // Numbers are sorted, not rows.
  expect(few.filter((step) => !step.startsWith("LIST")).slice(0, 3)).toEqual([
    "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)",
    found,
    "USE TEMP B-TREE FOR ORDER BY",
  ]);
  expect(many[0]).toBe("SEARCH r USING INDEX everstep_runs_workflow (workflow=?)");
  expect(counts).toEqual(["CO-ROUTINE (subquery-1)", found]);
});

test("runs are found by the beginning of their ids, and only numbers are sorted", () => {
  const file = tempFile();
  openStore(file);
  const db = new SqliteDatabase(file);
  const plan = planOf(db, pageQuery({ idPrefix: "order-4" }, { limit: 2 }, 0).sql);
  db.close();
  expect(plan.filter((step) => !step.startsWith("LIST"))).toEqual(
    expect.arrayContaining([
      "SEARCH r USING COVERING INDEX everstep_runs_id (id>? AND id<?)",
      "USE TEMP B-TREE FOR ORDER BY",
    ]),
  );
  expect(plan.join()).not.toContain("SCAN r");
});

test("what needs a person is looked for among what lives and what came to a bad end, not among all", () => {
  const file = tempFile();
  openStore(file);
  const db = new SqliteDatabase(file);
  const filter: RunFilter = { status: ["stuck", "failed"], workflow: "order" };
  const plan = planOf(db, pageQuery(filter, { limit: 10, after: "5" }, 0).sql).filter((step) =>
    step.includes(" r "),
  );
  const counting = planOf(db, countQuery(filter, 0).sql).filter((step) => step.includes(" r "));
  db.close();
  expect(plan).toEqual([
    "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)",
    "SEARCH r USING INDEX everstep_runs_stuck (no<?)",
    "SEARCH r USING INDEX everstep_runs_unhappy (no<?)",
  ]);
  expect(counting).toEqual([
    "SCAN r USING INDEX everstep_runs_stuck",
    "SCAN r USING INDEX everstep_runs_unhappy",
  ]);
});

test("figures read the runs that live, and those that ended since", () => {
  const file = tempFile();
  openStore(file);
  const statements = statementsOf(file, (db) => {
    const figures = new StoreFigures(db);
    figures.figures({ endedSince: 0, createdSince: 0 }, 0);
    figures.workers();
  });
  const steps = statements.flatMap(({ plan }) => plan).filter((step) => step.includes("everstep_"));
  expect(steps.toSorted()).toEqual([
    "SCAN r USING INDEX everstep_runs_live",
    "SCAN w USING INDEX everstep_workers_live",
    "SEARCH everstep_runs USING COVERING INDEX everstep_runs_workflow",
    "SEARCH r USING COVERING INDEX everstep_runs_owned (owner=?)",
    "SEARCH r USING COVERING INDEX everstep_runs_workflow (workflow>?)",
    "SEARCH r USING INDEX everstep_runs_ended (workflow=? AND ended=? AND ended_at>?)",
  ]);
});

test("the SQL of every status is statusOf of core", () => expectStatusesOfCore(openStore()));
