import { NOW, type SqlFunction } from "./sql.ts";
import { statusSql } from "./sql-operate.ts";

/** Ids of purged runs, and events, are remembered for so long. */
const REMEMBERED_MS = 90 * 86_400_000;
/** How many of each a purge forgets at most. */
const FORGOTTEN_MAX = 1_000;

/** What is older is at the beginning; what somebody else forgets just now is left to them. */
const forgetOld = (table: string): string => `DELETE FROM everstep.${table} t WHERE t.no = ANY (ARRAY(
    SELECT o.no FROM (SELECT o.no, o.at FROM everstep.${table} o ORDER BY o.no LIMIT ${FORGOTTEN_MAX} FOR UPDATE SKIP LOCKED) o
    WHERE o.at < at_ms - ${REMEMBERED_MS}));`;

const purgeRuns: SqlFunction = {
  head: "purge_runs(INOUT outcomes text[], at_ms bigint, purges json, waits boolean)",
  inner: true,
  body: `
DECLARE
  one record;
BEGIN
  FOR one IN SELECT * FROM json_to_recordset(purges) AS g (i int, run text) ORDER BY g.i LOOP
    ${forgetOld("purged")}
    ${forgetOld("events")}
    outcomes[one.i] := everstep.purge_run(one.run, at_ms, waits);
  END LOOP;
END`,
};

const purgeRun: SqlFunction = {
  head: "purge_run(run_id text, at_ms bigint, waits boolean) RETURNS text",
  inner: true,
  body: `
DECLARE
  root record;
  caller bigint;
  family bigint[];
  locked bigint[] := '{}';
BEGIN
  LOOP
    WITH RECURSIVE f (no, id) AS (
      SELECT r.no, r.id FROM everstep.runs r WHERE r.id = run_id
      UNION
      SELECT c.no, c.id FROM f CROSS JOIN LATERAL (SELECT c.no, c.id FROM everstep.runs c WHERE c.parent = f.id AND c.called OFFSET 0) c
    ) SELECT array_agg(f.no ORDER BY f.no) INTO family FROM f;
    IF family IS NULL THEN RETURN 'n'; END IF;
    -- Under the locks it is what it was when they were taken: a member that still ran may have called another one before.
    EXIT WHEN family = locked;
    SELECT p.no INTO caller FROM everstep.runs r CROSS JOIN LATERAL (SELECT p.no FROM everstep.runs p WHERE p.id = r.parent OFFSET 0) p
    WHERE r.id = run_id AND r.called;
    PERFORM everstep.lock_late(family || caller, waits);
    locked := family;
  END LOOP;
  SELECT r.* INTO root FROM everstep.runs r WHERE r.id = run_id;
  IF EXISTS (SELECT 1 FROM everstep.runs r WHERE r.no = ANY (family || caller) AND r.ended IS NULL) THEN
    RETURN 's' || ${statusSql("root")};
  END IF;
  INSERT INTO everstep.purged (id, workflow, input_hash, at)
  SELECT r.id, r.workflow, r.input_hash, at_ms FROM everstep.runs r WHERE r.no = ANY (family) ORDER BY r.id ON CONFLICT (id) DO NOTHING;
  DELETE FROM everstep.journal t WHERE t.run = ANY (family);
  DELETE FROM everstep.messages t WHERE t.run = ANY (family);
  DELETE FROM everstep.retries t WHERE t.run = ANY (family);
  DELETE FROM everstep.tags t WHERE t.run = ANY (family);
  DELETE FROM everstep.waiters t WHERE t.run = ANY (family);
  DELETE FROM everstep.waiters t WHERE t.waiter = ANY (family);
  DELETE FROM everstep.runs r WHERE r.no = ANY (family);
  RETURN 'd';
END`,
};

const importRuns: SqlFunction = {
  head: "import_runs(INOUT outcomes text[], at_ms bigint, imports json, waits boolean)",
  inner: true,
  body: `
DECLARE
  one record;
  run_no bigint;
  taken text;
BEGIN
  FOR one IN
    SELECT * FROM json_to_recordset(imports) AS g (i int, run json, entries json, messages json, retries json, tags json, awaits json, sound boolean)
    ORDER BY g.i
  LOOP
    taken := everstep.taken_by(one.run ->> 'id');
    IF taken IS NULL AND NOT one.sound THEN
      outcomes[one.i] := 'rthe journal has gaps';
      CONTINUE;
    END IF;
    IF taken IS NULL THEN
      run_no := everstep.insert_import(one.run, at_ms, json_array_length(one.messages));
      -- Somebody may have been first; and as in start_runs, the id of a purged run stays taken.
      taken := CASE WHEN run_no IS NULL THEN coalesce(everstep.taken_by(one.run ->> 'id'), '')
        ELSE (SELECT p.workflow FROM everstep.purged p WHERE p.id = one.run ->> 'id') END;
      IF taken IS NOT NULL THEN DELETE FROM everstep.runs r WHERE r.no = run_no; END IF;
    END IF;
    IF taken IS NOT NULL THEN
      outcomes[one.i] := 'C' || taken;
      CONTINUE;
    END IF;
    INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value, error)
    SELECT run_no, e.seq, e.attempt, e.kind, e.key, e.at, e.value, e.error
    FROM json_to_recordset(one.entries) AS e (seq bigint, attempt bigint, kind text, key text, at bigint, value text, error text);
    INSERT INTO everstep.messages (run, no, type, id, name, payload, at)
    SELECT run_no, m.no, m.type, m.id, m.name, m.payload, m.at
    FROM json_to_recordset(one.messages) AS m (no bigint, type text, id text, name text, payload text, at bigint);
    PERFORM everstep.keep_marks(ARRAY[run_no], one.retries, NULL, one.tags);
    IF json_array_length(one.awaits) > 0 THEN
      PERFORM everstep.await_ends(array_agg(a.run), array_agg(run_no), array_agg(a.key), at_ms, waits)
      FROM json_to_recordset(one.awaits) AS a (run text, key text);
    END IF;
    outcomes[one.i] := 'd';
  END LOOP;
END`,
};

/** Its number; NULL when the id is taken. */
const insertImport: SqlFunction = {
  head: "insert_import(run json, at_ms bigint, inbox bigint) RETURNS bigint",
  inner: true,
  body: `
DECLARE
  run_no bigint;
BEGIN
  INSERT INTO everstep.runs (id, workflow, version, priority, phase, ended, attempt, due_at, stuck, paused, parent, parent_key, called,
    event, raw, touched, inbox, created_at, started_at, ended_at, timeout_ms, input_hash, input, result, error)
  SELECT g.id, g.workflow, g.version, g.priority, g.phase, g.ended, g.attempt,
    CASE WHEN g.ended IS NULL AND g.stuck IS NULL AND g.paused IS NULL THEN at_ms END, g.stuck, g.paused, g.parent, g.parent_key, g.called,
    g.event, g.raw, true, insert_import.inbox, g.created_at, g.started_at, g.ended_at, g.timeout_ms, g.hash, g.input, g.result, g.error
  FROM json_to_record(run) AS g (id text, workflow text, version text, priority bigint, phase text, ended text, attempt bigint, stuck text,
    paused text, parent text, parent_key text, called boolean, event text, raw boolean, created_at bigint, started_at bigint,
    ended_at bigint, timeout_ms bigint, hash text, input text, result text, error text)
  ON CONFLICT (id) DO NOTHING
  RETURNING no INTO run_no;
  RETURN run_no;
END`,
};

/** The workflow of the run that has or had this id; NULL when it is free. */
const takenBy: SqlFunction = {
  head: "taken_by(run_id text) RETURNS text",
  inner: true,
  body: `
BEGIN
  RETURN coalesce((SELECT r.workflow FROM everstep.runs r WHERE r.id = run_id), (SELECT p.workflow FROM everstep.purged p WHERE p.id = run_id));
END`,
};

/** Rows of the outbox for a while. A lease that is forgotten with a crash of the server is given again: rows are taken at least once. */
const takeOutbox: SqlFunction = {
  head: "take_outbox(most bigint, for_ms bigint) RETURNS SETOF text",
  body: `
DECLARE
  at_ms bigint := ${NOW};
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  RETURN QUERY
  WITH free AS MATERIALIZED (
    SELECT o.no FROM everstep.outbox o WHERE o.taken_until <= at_ms ORDER BY o.no LIMIT most FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE everstep.outbox o SET taken_until = at_ms + for_ms WHERE o.no = ANY (ARRAY(SELECT f.no FROM free f)) RETURNING o.no, o.id, o.text
  )
  SELECT json_build_object('no', t.no, 'id', t.id, 'text', t.text)::text FROM taken t ORDER BY t.no;
END`,
};

/** What is kept, and for how long. */
export const keepingFunctions: readonly SqlFunction[] = [
  takenBy,
  insertImport,
  importRuns,
  purgeRun,
  purgeRuns,
  takeOutbox,
];
