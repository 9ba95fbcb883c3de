import type { SqlFunction } from "./sql.ts";

/**
 * The caller's SQL and its journal entry in one transaction. A caller that commits by itself would tear them apart: while its function
 * runs, a row in `guard` breaks a deferred reference, so that Postgres refuses every COMMIT.
 */

/** Where the guard is; NULL when it is not worth beginning. Nothing is locked yet: `settle_transact` is the fence. */
const openTransact: SqlFunction = {
  head: "open_transact(worker bigint, run_id text, attempt_no bigint) RETURNS text",
  body: `
DECLARE
  place tid;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM everstep.runs r JOIN everstep.workers w ON w.id = r.owner
    WHERE r.id = run_id AND r.owner = worker AND r.attempt = attempt_no AND w.live) THEN RETURN NULL; END IF;
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  INSERT INTO everstep.guard (id) VALUES (worker) RETURNING ctid INTO place;
  RETURN place;
END`,
};

const settleTransact: SqlFunction = {
  head: "settle_transact(worker bigint, run_id text, attempt_no bigint, place text, entry json, settled json, outbox json) RETURNS void",
  body: `
DECLARE
  run_no bigint;
  last bigint;
  e record;
BEGIN
  DELETE FROM everstep.guard g WHERE g.ctid = place::tid AND g.xmin = pg_current_xact_id()::xid;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the function of a transaction must not begin, commit or roll back by itself' USING ERRCODE = 'ES004';
  END IF;
  -- S3: a takeover waits for this lock, or has happened.
  PERFORM 1 FROM everstep.workers w WHERE w.id = worker AND w.live FOR KEY SHARE;
  IF NOT FOUND THEN RAISE EXCEPTION 'fenced' USING ERRCODE = 'ES001'; END IF;
  -- S4
  SELECT r.no INTO run_no FROM everstep.runs r WHERE r.id = run_id AND r.owner = worker AND r.attempt = attempt_no FOR NO KEY UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'fenced' USING ERRCODE = 'ES001'; END IF;
  SELECT coalesce(max(j.seq), 0) INTO last FROM everstep.journal j WHERE j.run = run_no;
  SELECT * INTO e FROM json_to_record(entry) AS g (seq bigint, kind text, key text, at bigint, value text, error text);
  IF e.seq <> last + 1 THEN
    RAISE EXCEPTION 'run %: entry % can''t follow entry % of the journal', run_id, e.seq, last USING ERRCODE = 'ES002';
  END IF;
  INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value, error)
  VALUES (run_no, e.seq, attempt_no, e.kind, e.key, e.at, e.value, e.error);
  DELETE FROM everstep.retries t WHERE t.run = run_no AND t.key IN (SELECT json_array_elements_text(settled));
  IF outbox IS NOT NULL THEN
    INSERT INTO everstep.outbox (id, text) SELECT g.id, g.text FROM json_to_recordset(outbox) AS g (id text, text text);
  END IF;
END`,
};

export const transactFunctions: readonly SqlFunction[] = [openTransact, settleTransact];
