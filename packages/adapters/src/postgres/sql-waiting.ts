import type { SqlFunction } from "./sql.ts";

/**
 * Runs that wait for the end of others (S12). Whoever ends, and whoever begins to wait, holds the lock of the run that is waited for, so
 * neither passes the other.
 *
 * Who waits is known only once the ending run is locked, and may come before it in the order of locks (F42). So the first try waits for
 * no lock that it takes late: it gives up, lets go of all, and the batch is sent again with what it needs locked in order.
 */

const OUT_OF_ORDER = "RAISE EXCEPTION 'writes of one wave depend on each other' USING ERRCODE = 'ES008';";

/** Locks rows of runs although others are held already. */
const lockLate: SqlFunction = {
  head: "lock_late(nos bigint[], waits boolean) RETURNS void",
  inner: true,
  body: `
DECLARE
  locked bigint;
BEGIN
  IF waits THEN
    PERFORM 1 FROM (SELECT r.no FROM everstep.runs r WHERE r.no = ANY (nos) ORDER BY r.id) o
    CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.no = o.no OFFSET 0 FOR NO KEY UPDATE) r;
  ELSE
    SELECT count(*) INTO locked FROM (
      SELECT r.no FROM everstep.runs r WHERE r.no = ANY (nos) FOR NO KEY UPDATE SKIP LOCKED) r;
    IF locked < (SELECT count(*) FROM everstep.runs r WHERE r.no = ANY (nos)) THEN
      RAISE EXCEPTION 'a row that is locked late is locked by another batch' USING ERRCODE = 'ES007';
    END IF;
  END IF;
END`,
};

/**
 * Tells all who wait for these runs, as far as these have ended, and answers their ids. One that has ended itself goes on waiting, in case
 * that it is mended.
 */
const tellEnds: SqlFunction = {
  head: "tell_ends(ended_nos bigint[], at_ms bigint, waits boolean) RETURNS text[]",
  inner: true,
  body: `
DECLARE
  who bigint[];
  mail json;
  told text[];
  over tid[];
BEGIN
  SELECT array_agg(DISTINCT w.waiter) INTO who FROM unnest(ended_nos) AS e (no)
  CROSS JOIN LATERAL (SELECT w.waiter FROM everstep.waiters w WHERE w.run = e.no OFFSET 0) w;
  IF who IS NULL THEN RETURN NULL; END IF;
  PERFORM everstep.lock_late(who, waits);
  SELECT json_agg(json_build_object('i', m.place, 'run', m.waiter, 'type', 'child', 'id', m.id, 'name', m.key, 'payload', m.payload)
    ORDER BY m.place), array_agg(DISTINCT m.waiter), array_agg(m.ctid) INTO mail, told, over
  FROM (
    SELECT row_number() OVER (ORDER BY e.place, w.no) AS place, w.ctid, w.key, p.id AS waiter, c.id,
      json_strip_nulls(json_build_object('status', c.ended, 'result', c.result, 'error', c.error))::text AS payload
    FROM unnest(ended_nos) WITH ORDINALITY AS e (no, place)
    CROSS JOIN LATERAL (SELECT c.id, c.ended, c.result, c.error FROM everstep.runs c WHERE c.no = e.no OFFSET 0) c
    CROSS JOIN LATERAL (SELECT w.ctid, w.no, w.waiter, w.key FROM everstep.waiters w WHERE w.run = e.no OFFSET 0) w
    CROSS JOIN LATERAL (SELECT p.id, p.ended FROM everstep.runs p WHERE p.no = w.waiter OFFSET 0) p
    WHERE c.ended IS NOT NULL AND p.ended IS NULL
  ) m;
  IF mail IS NULL THEN RETURN NULL; END IF;
  DELETE FROM everstep.waiters w WHERE w.ctid = ANY (over);
  PERFORM everstep.send_messages('{}', at_ms, mail, NULL);
  RETURN told;
END`,
};

/** From now on these wait for those runs, and are told at once of those that have ended. A run that is not here is waited for by nobody. */
const awaitEnds: SqlFunction = {
  head: "await_ends(ids text[], who bigint[], keys text[], at_ms bigint, waits boolean) RETURNS void",
  inner: true,
  body: `
DECLARE
  nos bigint[];
  ended_nos bigint[];
BEGIN
  SELECT array_agg(r.no) INTO nos FROM unnest(ids) AS a (id)
  CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = a.id OFFSET 0) r;
  IF nos IS NULL THEN RETURN; END IF;
  PERFORM everstep.lock_late(nos, waits);
  INSERT INTO everstep.waiters (run, waiter, key)
  SELECT r.no, a.waiter, a.key FROM unnest(ids, who, keys) AS a (id, waiter, key)
  CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = a.id OFFSET 0) r
  ON CONFLICT (run, waiter, key) DO NOTHING;
  UPDATE everstep.runs r SET awaited = true WHERE r.no = ANY (nos) AND NOT r.awaited;
  SELECT array_agg(r.no) INTO ended_nos FROM everstep.runs r WHERE r.no = ANY (nos) AND r.ended IS NOT NULL;
  IF ended_nos IS NOT NULL THEN PERFORM everstep.tell_ends(ended_nos, at_ms, waits); END IF;
END`,
};

/** Tells a run that goes on of all ends that it missed while it had ended itself. */
const tellOfMissed: SqlFunction = {
  head: "tell_of_missed(run_no bigint, at_ms bigint, waits boolean) RETURNS void",
  inner: true,
  body: `
DECLARE
  missed bigint[];
BEGIN
  -- Each once: it may wait for one under several keys.
  SELECT array_agg(m.run ORDER BY m.first) INTO missed FROM (
    SELECT w.run, min(w.no) AS first FROM everstep.waiters w WHERE w.waiter = run_no GROUP BY w.run) m;
  IF missed IS NOT NULL THEN PERFORM everstep.tell_ends(missed, at_ms, waits); END IF;
END`,
};

/**
 * Before the runs of a wave are let go: a run that waits for one that ends before it in the batch has a message more than its owner knows
 * (S6). For one that ends itself, the wave is no order, and its writes are done one by one.
 */
const judgeEnds: SqlFunction = {
  head: "judge_ends(INOUT outcomes text[], nos bigint[], ends int[], changes json)",
  inner: true,
  body: `
DECLARE
  one record;
BEGIN
  FOR one IN
    SELECT p.i, p.act FROM json_to_recordset(changes) AS c (i int, act text)
    CROSS JOIN LATERAL (SELECT w.waiter FROM everstep.waiters w WHERE w.run = nos[c.i] OFFSET 0) w
    JOIN json_to_recordset(changes) AS p (i int, act text) ON nos[p.i] = w.waiter
    WHERE c.act = 'end' AND c.i = ANY (ends) AND p.i > c.i AND p.act IN ('park', 'end')
  LOOP
    IF one.act = 'end' THEN ${OUT_OF_ORDER} END IF;
    outcomes[one.i] := 'i';
  END LOOP;
END`,
};

/** Of these, which somebody waited for once, those that end: who waits is told. */
const tellEndsOf: SqlFunction = {
  head: "tell_ends_of(INOUT outcomes text[], nos bigint[], ends int[], at_ms bigint, changes json, rest json, waits boolean)",
  inner: true,
  body: `
DECLARE
  told text[];
  ended_nos bigint[];
  last int;
BEGIN
  SELECT array_agg(nos[g.i] ORDER BY g.i), max(g.i) INTO ended_nos, last
  FROM json_to_recordset(changes) AS g (i int, act text) WHERE g.act = 'end' AND g.i = ANY (ends) AND nos[g.i] IS NOT NULL;
  IF ended_nos IS NULL THEN RETURN; END IF;
  -- In another order than the batch's, as far as waves change it.
  IF EXISTS (
    SELECT 1 FROM json_array_elements_text(rest -> 'crowd') AS m (id)
    CROSS JOIN LATERAL (SELECT p.no FROM everstep.runs p WHERE p.id = m.id OFFSET 0) p
    CROSS JOIN LATERAL (SELECT w.run FROM everstep.waiters w WHERE w.waiter = p.no OFFSET 0) w
    WHERE w.run = ANY (ended_nos)
  ) THEN ${OUT_OF_ORDER} END IF;
  told := everstep.tell_ends(ended_nos, at_ms, waits);
  IF told IS NOT NULL THEN outcomes[last] := 'D' || json_build_object('woke', json_build_array(told)); END IF;
END`,
};

export const waitingFunctions: readonly SqlFunction[] = [
  lockLate,
  tellEnds,
  awaitEnds,
  tellOfMissed,
  judgeEnds,
  tellEndsOf,
];
