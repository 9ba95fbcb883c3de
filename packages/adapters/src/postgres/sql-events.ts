import type { SqlFunction } from "./sql.ts";

/** The current version of each of these workflows that any worker ever told of: of those that a live worker has, or else of all. */
const currentOf: SqlFunction = {
  head: `current_of(names json, at_ms bigint)
    RETURNS TABLE (name text, version text, event text, priority bigint, timeout_ms bigint)`,
  inner: true,
  body: `
BEGIN
  RETURN QUERY
  WITH live AS MATERIALIZED (
    SELECT DISTINCT f.name, f.version FROM everstep.workers w
    CROSS JOIN LATERAL json_to_recordset(w.workflows::json) AS f (name text, version text) WHERE w.live AND w.expires_at > at_ms
  )
  SELECT c.name, c.version, c.event, c.priority, c.timeout_ms
  FROM (SELECT DISTINCT n.name FROM json_array_elements_text(names) AS n (name)) n
  CROSS JOIN LATERAL (
    SELECT w.name, w.version, w.event, w.priority, w.timeout_ms FROM everstep.workflows w WHERE w.name = n.name
    ORDER BY EXISTS (SELECT 1 FROM live l WHERE l.name = w.name AND l.version = w.version) DESC, w.no DESC LIMIT 1
  ) c;
END`,
};

/** S13: events, for all workflows whose current version listens. `senders` as in `start_runs`. */
const emitEvents: SqlFunction = {
  head: "emit_events(INOUT outcomes text[], at_ms bigint, emits json, senders bigint[])",
  inner: true,
  body: `
DECLARE
  one record;
  old record;
  listeners json;
  events bigint[];
  started json[];
BEGIN
  SELECT json_agg(c) INTO listeners FROM everstep.current_of((
    SELECT json_agg(w.name) FROM (SELECT DISTINCT g.name FROM json_to_recordset(emits) AS g (name text)) e
    CROSS JOIN LATERAL (SELECT w.name FROM everstep.workflows w WHERE w.event = e.name OFFSET 0) w
  ), at_ms) c WHERE c.event IS NOT NULL;
  FOR one IN
    WITH given AS MATERIALIZED (
      SELECT g.* FROM json_to_recordset(emits) AS g (i int, a int, name text, id text, payload text, codec text, hash text, prefix text,
        place bigint)
      WHERE senders IS NULL OR senders[g.a] IS NOT NULL
    ), listening AS MATERIALIZED (
      SELECT l.* FROM json_to_recordset(listeners) AS l (name text, version text, event text, priority bigint, timeout_ms bigint)
    ), expected AS MATERIALIZED (
      SELECT g.i, g.name, g.id, g.payload, g.codec, g.hash, g.prefix || l.name AS run, l.name AS workflow, l.version, l.priority, l.timeout_ms
      FROM given g JOIN listening l ON l.event = g.name
    ), lists AS MATERIALIZED (
      SELECT e.i, json_agg(e.run ORDER BY e.workflow COLLATE "C") AS runs FROM expected e GROUP BY e.i
    ), fresh AS (
      -- Whoever emits the same event at the same time waits here, and finds it.
      INSERT INTO everstep.events (name, id, at, place, payload_hash, runs)
      SELECT g.name, g.id, at_ms, g.place, g.hash, coalesce(l.runs, '[]')::text FROM given g LEFT JOIN lists l ON l.i = g.i
      -- In one order, as in start_runs.
      ORDER BY g.name COLLATE "C", g.id COLLATE "C"
      ON CONFLICT (name, id) DO NOTHING
      RETURNING no, name, id, runs
    ), created AS (
      INSERT INTO everstep.runs (id, workflow, version, priority, phase, attempt, due_at, created_at, timeout_ms, input_hash, input, event, raw)
      SELECT e.run, e.workflow, e.version, e.priority, 'forward', 0, at_ms, at_ms, e.timeout_ms, e.hash, e.payload, e.codec, true
      FROM expected e JOIN fresh f ON f.name = e.name AND f.id = e.id
      ORDER BY e.i, e.workflow COLLATE "C"
      ON CONFLICT (id) DO NOTHING
      RETURNING id
    ), lost AS MATERIALIZED (
      SELECT e.i, array_agg(e.run) AS runs FROM expected e LEFT JOIN created c ON c.id = e.run WHERE c.id IS NULL GROUP BY e.i
    )
    SELECT g.i, g.name, g.id, g.hash, f.no, f.runs, l.runs AS lost
    FROM given g LEFT JOIN fresh f ON f.name = g.name AND f.id = g.id LEFT JOIN lost l ON l.i = g.i
  LOOP
    IF one.no IS NOT NULL THEN
      events[one.i] := one.no;
      started[one.i] := one.runs;
      IF one.lost IS NOT NULL THEN started[one.i] := everstep.correct_event(one.no, one.runs::json, one.lost); END IF;
    ELSE
      SELECT e.payload_hash, e.runs INTO old FROM everstep.events e WHERE e.name = one.name AND e.id = one.id;
      outcomes[one.i] := CASE WHEN old.payload_hash = one.hash THEN 'E{"again":true,"runs":' || old.runs || '}' ELSE 'C' END;
    END IF;
  END LOOP;
  -- As in start_runs: the id of a purged run stays taken.
  FOR one IN
    SELECT s.i, array_agg(x.run) AS lost FROM generate_subscripts(events, 1) AS s (i)
    CROSS JOIN LATERAL json_array_elements_text(started[s.i]) AS x (run)
    CROSS JOIN LATERAL (SELECT p.id FROM everstep.purged p WHERE p.id = x.run OFFSET 0) p
    WHERE events[s.i] IS NOT NULL GROUP BY s.i
  LOOP
    DELETE FROM everstep.runs r WHERE r.id = ANY (one.lost);
    started[one.i] := everstep.correct_event(events[one.i], started[one.i], one.lost);
  END LOOP;
  FOR one IN SELECT s.i FROM generate_subscripts(events, 1) AS s (i) WHERE events[s.i] IS NOT NULL LOOP
    outcomes[one.i] := 'E{"again":false,"runs":' || started[one.i] || '}';
  END LOOP;
END`,
};

/** Some of its runs were not started, for their ids were taken: the event was emitted before it was forgotten. */
const correctEvent: SqlFunction = {
  head: "correct_event(event_no bigint, started json, lost text[]) RETURNS json",
  inner: true,
  body: `
DECLARE
  rest json;
BEGIN
  SELECT coalesce(json_agg(x.run ORDER BY x.ordinality), '[]') INTO rest
  FROM json_array_elements_text(started) WITH ORDINALITY AS x (run) WHERE x.run <> ALL (lost);
  UPDATE everstep.events e SET runs = rest::text WHERE e.no = event_no;
  RETURN rest;
END`,
};

export const eventFunctions: readonly SqlFunction[] = [currentOf, correctEvent, emitEvents];
