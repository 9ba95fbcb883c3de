import { NOW, type SqlFunction } from "./sql.ts";

/**
 * Batches of one write, as a run that is alone sends them: its start, its steps, its end. `commit` in a few statements instead of a general
 * one, with the same locks in the same order. Anything unusual undoes them, and is left to `commit`: NULL, or ES006.
 */

/** S2, S3 */
const numbered = (reply: string): string => `
  -- P1: durable when it is answered, whatever the database's default.
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  answer := '{"at":' || at_ms || ',"letters":"${reply}"}';
  UPDATE everstep.workers w SET batch = batch_no, reply = answer, busy = true
  WHERE w.id = worker AND w.batch = batch_no - 1 AND w.live;
  IF NOT FOUND THEN RETURN NULL; END IF;`;

const UNUSUAL = "RAISE EXCEPTION 'more than a plain write' USING ERRCODE = 'ES006'";
const ANSWERED = `
  IF channel IS NOT NULL THEN PERFORM pg_notify(channel, 'busy'); END IF;
  RETURN answer;
END`;

/** S4: owned by this worker, under the attempt that it claimed; and what is appended follows an entry. */
const OWNED = `r.owner = worker AND r.attempt = attempt_no
    AND (first_seq = 1 OR EXISTS (SELECT 1 FROM everstep.journal j WHERE j.run = r.no AND j.seq = first_seq - 1 OFFSET 0))`;

/** A new run that its worker keeps. */
const begin: SqlFunction = {
  head: `begin_run(worker bigint, batch_no bigint, run_id text, name text, number text, data text, hash text, level bigint, timeout bigint,
    is_raw boolean, channel text) RETURNS text`,
  body: `
DECLARE
  at_ms bigint := ${NOW};
  answer text;
BEGIN${numbered("o")}
  IF EXISTS (SELECT 1 FROM everstep.workflow_pauses p WHERE p.workflow = name) THEN ${UNUSUAL}; END IF;
  INSERT INTO everstep.runs (id, workflow, version, priority, phase, owner, attempt, created_at, started_at, timeout_ms, input_hash, input, raw)
  VALUES (run_id, name, number, level, 'forward', worker, 1, at_ms, at_ms, timeout, hash, data, is_raw)
  ON CONFLICT (id) DO NOTHING;
  -- After the insertion, for that may have waited for a purge.
  IF NOT FOUND OR EXISTS (SELECT 1 FROM everstep.purged p WHERE p.id = run_id) THEN ${UNUSUAL}; END IF;${ANSWERED}`,
};

/** One step. */
const append: SqlFunction = {
  head: `append(worker bigint, batch_no bigint, run_id text, attempt_no bigint, first_seq bigint, kind text, key text, at bigint, value text,
    error text, channel text) RETURNS text`,
  body: `
DECLARE
  at_ms bigint := ${NOW};
  answer text;
BEGIN${numbered("d")}
  INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value, error)
  SELECT r.no, first_seq, attempt_no, append.kind, append.key, append.at, append.value, append.error
  FROM (
    SELECT r.no, r.owner, r.attempt FROM everstep.runs r WHERE r.id = run_id OFFSET 0 FOR NO KEY UPDATE
  ) r
  WHERE ${OWNED};
  IF NOT FOUND THEN ${UNUSUAL}; END IF;${ANSWERED}`,
};

/** Its last entries and its end, which nobody waits for. */
const finish: SqlFunction = {
  head: `finish(worker bigint, batch_no bigint, run_id text, attempt_no bigint, first_seq bigint, seqs bigint[], kinds text[], keys text[],
    ats bigint[], vals text[], errors text[], status text, outcome text, failure text, channel text) RETURNS text`,
  body: `
DECLARE
  at_ms bigint := ${NOW};
  answer text;
  run_no bigint;
  place tid;
BEGIN
  -- Before anything is done that would have to be undone.
  IF EXISTS (SELECT 1 FROM everstep.runs r WHERE r.id = run_id AND r.awaited) THEN RETURN NULL; END IF;${numbered("d")}
  SELECT r.no, r.ctid INTO run_no, place
  FROM (
    SELECT r.no, r.ctid, r.owner, r.attempt, r.awaited FROM everstep.runs r WHERE r.id = run_id OFFSET 0 FOR NO KEY UPDATE
  ) r
  WHERE NOT r.awaited AND ${OWNED};
  IF NOT FOUND THEN ${UNUSUAL}; END IF;
  INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value, error)
  SELECT run_no, e.seq, attempt_no, e.kind, e.key, e.at, e.value, e.error
  FROM unnest(seqs, kinds, keys, ats, vals, errors) AS e (seq, kind, key, at, value, error);
  UPDATE everstep.runs r SET phase = 'done', ended = status, ended_at = at_ms, result = outcome, error = failure, owner = NULL, due_at = NULL,
    alone = false, interrupted = false, waits = NULL, stuck = NULL, paused = NULL
  WHERE r.ctid = place;
  DELETE FROM everstep.retries t WHERE t.run = run_no;${ANSWERED}`,
};

export const aloneFunctions: readonly SqlFunction[] = [begin, append, finish];
