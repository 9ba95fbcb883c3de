import type { SqlFunction } from "./sql.ts";

/**
 * New runs, of clients and of other runs. `names`: the workflows of those for which only the name is known. `senders`: the numbers of
 * the runs that send a start out, by the place of their write; without a number, its write was not let through, nor is what it sends.
 */
const startRuns: SqlFunction = {
  head: `start_runs(INOUT outcomes text[], worker bigint, at_ms bigint, starts json, tags json, names json, senders bigint[])`,
  inner: true,
  body: `
DECLARE
  one record;
  old record;
  told json;
  nos bigint[];
  ids text[];
BEGIN
  IF names IS NOT NULL THEN
    SELECT json_object_agg(c.name, json_build_object('version', c.version, 'priority', c.priority, 'timeout', c.timeout_ms)) INTO told
    FROM everstep.current_of(names, at_ms) c;
  END IF;
  FOR one IN
    WITH given AS MATERIALIZED (
      SELECT g.*, CASE WHEN g.claim AND g.workflow <> ALL (ARRAY(SELECT p.workflow FROM everstep.workflow_pauses p)) THEN worker END AS owner
      FROM json_to_recordset(starts) AS g (i int, a int, id text, workflow text, version text, input text, hash text, priority bigint,
        timeout bigint, due bigint, delay bigint, claim boolean, raw boolean, parent text, key text, awaited boolean)
      WHERE senders IS NULL OR senders[g.a] IS NOT NULL
    ), created AS (
      INSERT INTO everstep.runs (id, workflow, version, priority, phase, owner, attempt, due_at, created_at, started_at,
        timeout_ms, input_hash, input, raw, parent, parent_key, called, awaited)
      SELECT g.id, g.workflow, coalesce(g.version, told -> g.workflow ->> 'version', '1'),
        coalesce(g.priority, (told -> g.workflow ->> 'priority')::bigint, 0), 'forward', g.owner,
        CASE WHEN g.owner IS NULL THEN 0 ELSE 1 END,
        CASE WHEN g.owner IS NULL THEN coalesce(g.due, at_ms + coalesce(g.delay, 0)) END, at_ms,
        CASE WHEN g.owner IS NOT NULL THEN at_ms END,
        CASE WHEN g.version IS NULL THEN (told -> g.workflow ->> 'timeout')::bigint ELSE g.timeout END, g.hash, g.input,
        coalesce(g.raw, false), g.parent, g.key, coalesce(g.awaited, false), coalesce(g.awaited, false)
      FROM given g
      -- In one order, so that two batches with the same ids don't wait for each other.
      ORDER BY g.id COLLATE "C"
      ON CONFLICT (id) DO NOTHING
      RETURNING no, id, owner
    )
    SELECT g.i, g.id, g.workflow, g.hash, c.no, c.owner FROM given g LEFT JOIN created c ON c.id = g.id
  LOOP
    nos[one.i] := one.no;
    IF one.no IS NOT NULL THEN
      outcomes[one.i] := CASE WHEN one.owner IS NULL THEN 'c' ELSE 'o' END;
      ids[one.i] := one.id;
    ELSE
      SELECT r.workflow, r.input_hash INTO old FROM everstep.runs r WHERE r.id = one.id;
      IF NOT FOUND THEN SELECT p.workflow, p.input_hash INTO old FROM everstep.purged p WHERE p.id = one.id; END IF;
      outcomes[one.i] := CASE WHEN old.workflow = one.workflow AND old.input_hash = one.hash THEN 'x'
        ELSE 'C' || coalesce(old.workflow, '') END;
    END IF;
  END LOOP;
  -- The id of a purged run stays taken. After the insertion, for that may have waited for the purge.
  IF ids IS NULL THEN RETURN; END IF;
  PERFORM 1 FROM everstep.purged p WHERE p.id = ANY (ids);
  IF FOUND THEN
    FOR one IN
      SELECT g.i, p.workflow, p.workflow = g.workflow AND p.input_hash = g.hash AS is_same
      FROM (SELECT p.id, p.workflow, p.input_hash FROM everstep.purged p WHERE p.id = ANY (ids)) p
      JOIN json_to_recordset(starts) AS g (i int, id text, workflow text, hash text) ON g.id = p.id AND g.i = array_position(ids, p.id)
    LOOP
      DELETE FROM everstep.runs r WHERE r.no = nos[one.i];
      nos[one.i] := NULL;
      outcomes[one.i] := CASE WHEN one.is_same THEN 'x' ELSE 'C' || one.workflow END;
    END LOOP;
  END IF;
  IF tags IS NOT NULL THEN PERFORM everstep.keep_marks(nos, NULL, NULL, tags); END IF;
END`,
};

export const startFunctions: readonly SqlFunction[] = [startRuns];
