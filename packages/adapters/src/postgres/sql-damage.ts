import { NOW, type SqlFunction } from "./sql.ts";

/** What Postgres says of data that can't be stored. */
export const REFUSED = "data_exception OR integrity_constraint_violation OR program_limit_exceeded";

/** A dead worker's run is due, and remembers it. */
export const FREED: string = `owner = NULL, due_at = CASE WHEN paused IS NULL THEN ${NOW} END, interrupted = true,
    strikes = strikes + 1, strikes_alone = strikes_alone + alone::int, alone = false`;

/** Stuck, as far as even that can be written. */
const setAside: SqlFunction = {
  head: "set_aside(run_no bigint, why text) RETURNS void",
  inner: true,
  body: `
BEGIN
  UPDATE everstep.runs r SET owner = NULL, due_at = NULL, alone = false, stuck = json_build_object('code', 'REFUSED',
    'message', to_json('run ' || r.id || ': its row in the database is damaged: ' || why || '. Repair it, and resume the run.')::text,
    'at', ${NOW})::text
  WHERE r.no = run_no;
EXCEPTION WHEN ${REFUSED} THEN
  RAISE WARNING 'everstep: run no. % is damaged: %', run_no, SQLERRM;
END`,
};

const freeOne: SqlFunction = {
  head: "free_one(run_no bigint) RETURNS void",
  inner: true,
  body: `
BEGIN
  UPDATE everstep.runs SET ${FREED} WHERE no = run_no;
EXCEPTION WHEN ${REFUSED} THEN
  PERFORM everstep.set_aside(run_no, SQLERRM);
END`,
};

/** After a claim that failed: which of the runs that are due first can be claimed is tried, and undone. */
const sift: SqlFunction = {
  head: "sift(worker bigint, workflows json) RETURNS text",
  body: `
DECLARE
  one record;
BEGIN
  FOR one IN
    SELECT r.no FROM (SELECT DISTINCT w.name, w.version FROM json_to_recordset(workflows) AS w (name text, version text)) w
    CROSS JOIN LATERAL (
      SELECT r.no FROM everstep.runs r WHERE r.workflow = w.name AND r.version = w.version AND r.due_at <= ${NOW}
      ORDER BY r.priority DESC, r.due_at, r.no LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
    ) r
  LOOP
    BEGIN
      UPDATE everstep.runs r SET owner = worker, attempt = r.attempt + 1, due_at = NULL, started_at = coalesce(r.started_at, 0) WHERE r.no = one.no;
      RAISE EXCEPTION 'it can be claimed' USING ERRCODE = 'ES005';
    EXCEPTION
      WHEN SQLSTATE 'ES005' THEN NULL;
      WHEN ${REFUSED} THEN PERFORM everstep.set_aside(one.no, SQLERRM);
    END;
  END LOOP;
  RETURN '';
END`,
};

/**
 * F57: for a run whose row can't be changed as a statement for many runs changes it. Then they are changed one by one, which would
 * cost too much as a habit, and the damaged one is set aside for a person to look at.
 */
export const damageFunctions: readonly SqlFunction[] = [setAside, freeOne, sift];
