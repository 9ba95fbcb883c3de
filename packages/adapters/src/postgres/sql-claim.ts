import { NOW, type SqlFunction } from "./sql.ts";
import { entriesOf, messagesOf, retriesOf, runJson } from "./sql-read.ts";

/**
 * Claiming, in one round trip. Its index holds only runs that wait for a time, sorted as they are claimed within a workflow; the
 * levels of priority, few and seldom, are skipped over one by one. So neither finished runs nor runs of workflows that nobody here
 * has are ever looked at, and an idle worker writes nothing.
 */
const OF_LEVEL = `FROM everstep.runs r WHERE r.workflow = l.workflow AND r.version = l.version AND r.due_at IS NOT NULL`;

/** Of each workflow, version and priority that has runs with a time: when the first of them is due. */
const levels: SqlFunction = {
  head: "levels(workflows json, except_nos bigint[]) RETURNS TABLE (workflow text, version text, priority bigint, first bigint)",
  inner: true,
  body: `
BEGIN
  RETURN QUERY
  WITH RECURSIVE l (workflow, version, priority) AS (
    SELECT g.name COLLATE "C", g.version COLLATE "C", (SELECT r.priority FROM everstep.runs r
      WHERE r.workflow = g.name AND r.version = g.version AND r.due_at IS NOT NULL ORDER BY r.priority DESC LIMIT 1)
    FROM (SELECT DISTINCT w.name, w.version FROM json_to_recordset(workflows) AS w (name text, version text)) g
    UNION ALL
    SELECT l.workflow, l.version, (SELECT r.priority ${OF_LEVEL} AND r.priority < l.priority ORDER BY r.priority DESC LIMIT 1)
    FROM l WHERE l.priority IS NOT NULL
  )
  SELECT l.workflow, l.version, l.priority,
    (SELECT r.due_at ${OF_LEVEL} AND r.priority = l.priority AND r.no <> ALL (except_nos) ORDER BY r.due_at, r.no LIMIT 1)
  FROM l WHERE l.priority IS NOT NULL;
END`,
};

const claim: SqlFunction = {
  head: `claim(worker bigint, most int, workflows json, except_ids json, inboxes json, build int, channel text) RETURNS SETOF text`,
  body: `
DECLARE
  at_ms bigint := ${NOW};
  except_nos bigint[] := '{}';
  paused json;
  next_due bigint;
  due_levels bigint[];
  level bigint;
  is_busy boolean;
  slots int;
  best bigint[];
  picked bigint[] := '{}';
  loaded bigint[];
BEGIN
  PERFORM everstep.admit(build);
  IF except_ids IS NOT NULL THEN
    SELECT coalesce(array_agg(r.no), '{}') INTO except_nos FROM json_array_elements_text(except_ids) AS e (id)
    CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = e.id OFFSET 0) r;
  END IF;
  SELECT json_agg(p.workflow ORDER BY p.workflow) INTO paused
  FROM (SELECT DISTINCT w.name FROM json_to_recordset(workflows) AS w (name text)) w
  CROSS JOIN LATERAL (SELECT p.workflow FROM everstep.workflow_pauses p WHERE p.workflow = w.name OFFSET 0) p;
  IF paused IS NOT NULL THEN
    SELECT coalesce(json_agg(w), '[]') INTO workflows FROM json_to_recordset(workflows) AS w (name text, version text)
    WHERE w.name NOT IN (SELECT json_array_elements_text(paused));
  END IF;
  SELECT min(l.first), array_agg(DISTINCT l.priority ORDER BY l.priority DESC) FILTER (WHERE l.first <= at_ms) INTO next_due, due_levels
  FROM everstep.levels(workflows, except_nos) l;
  IF most > 0 AND next_due <= at_ms THEN
    -- S5: a takeover waits for this lock, so that it frees these runs as well; batches of the worker itself don't.
    SELECT w.busy INTO is_busy FROM everstep.workers w WHERE w.id = worker AND w.live FOR KEY SHARE;
    IF FOUND THEN
      -- F42: what changes the row takes it before any run, as batches do.
      IF NOT is_busy THEN PERFORM 1 FROM everstep.workers w WHERE w.id = worker FOR NO KEY UPDATE; END IF;
      -- From the highest priority down; within a priority the longest due of all workflows first.
      FOREACH level IN ARRAY due_levels LOOP
        slots := most - cardinality(picked);
        EXIT WHEN slots = 0;
        SELECT array_agg(c.no) INTO best FROM (
          SELECT c.no FROM (SELECT DISTINCT w.name, w.version FROM json_to_recordset(workflows) AS w (name text, version text)) w
          CROSS JOIN LATERAL (
            SELECT r.no, r.due_at FROM everstep.runs r
            WHERE r.workflow = w.name AND r.version = w.version AND r.priority = level AND r.due_at <= at_ms AND r.no <> ALL (except_nos)
            ORDER BY r.due_at, r.no LIMIT slots
            FOR NO KEY UPDATE SKIP LOCKED
          ) c ORDER BY c.due_at, c.no LIMIT slots
        ) c;
        picked := picked || best;
      END LOOP;
      IF cardinality(picked) > 0 THEN
        -- S5: an attempt that is forgotten with a crash of the server would be made again.
        IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
        UPDATE everstep.runs r SET owner = worker, attempt = r.attempt + 1, due_at = NULL, waits = NULL, started_at = coalesce(r.started_at, at_ms)
        WHERE r.no = ANY (picked);
        IF NOT is_busy THEN
          UPDATE everstep.workers w SET busy = true WHERE w.id = worker;
          IF channel IS NOT NULL THEN PERFORM pg_notify(channel, 'busy'); END IF;
        END IF;
      END IF;
      SELECT min(l.first) INTO next_due FROM everstep.levels(workflows, except_nos) l;
      -- What somebody else has locked just now is looked at again in a moment.
      IF next_due <= at_ms AND cardinality(picked) < most THEN next_due := at_ms + 50; END IF;
    END IF;
  END IF;
  RETURN NEXT json_build_object('now', at_ms, 'nextDueAt', next_due, 'paused', coalesce(paused, '[]'))::text;

  IF cardinality(picked) > 0 THEN
    RETURN QUERY SELECT json_build_object('claim', r.no, 'run', ${runJson("r")})::text
      FROM unnest(picked) WITH ORDINALITY AS p (no, place)
      CROSS JOIN LATERAL (SELECT * FROM everstep.runs r WHERE r.no = p.no OFFSET 0) r ORDER BY p.place;
    -- A run that was never claimed before has neither entries nor retries, but of a person's or from elsewhere.
    SELECT array_agg(r.no) INTO loaded FROM everstep.runs r WHERE r.no = ANY (picked) AND (r.attempt > 1 OR r.inbox > 0 OR r.touched);
    IF loaded IS NOT NULL THEN
      RETURN QUERY ${entriesOf("loaded")};
      RETURN QUERY ${messagesOf("loaded")};
      RETURN QUERY ${retriesOf("loaded")};
    END IF;
  END IF;

  IF inboxes IS NOT NULL THEN
    -- One statement, so that an inbox and its messages are from one moment.
    RETURN QUERY SELECT json_build_object('inbox', r.id, 'count', r.inbox, 'messages', (
        SELECT coalesce(json_agg(json_build_array(m.no, m.type, m.id, m.name, m.payload, m.at) ORDER BY m.no), '[]')
        FROM everstep.messages m WHERE m.run = r.no AND m.no > g.after AND m.consumed_by IS NULL))::text
      FROM json_to_recordset(inboxes) AS g (run text, after bigint)
      CROSS JOIN LATERAL (SELECT r.no, r.id, r.inbox, r.owner FROM everstep.runs r WHERE r.id = g.run OFFSET 0) r
      WHERE r.owner = worker AND r.inbox > g.after;
  END IF;
END`,
};

/** Claiming. */
export const claimFunctions: readonly SqlFunction[] = [levels, claim];
