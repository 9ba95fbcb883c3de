import type { SqlFunction } from "./sql.ts";

/** The write, its run, the attempt under which that is owned, its first entry, and the inbox that its owner saw before parking. */
export const ADVANCES = "a_i int[], a_id text[], a_attempt bigint[], a_first bigint[], a_seen bigint[]";
/** The write that an entry belongs to, and the entry. */
export const ENTRIES =
  "e_i int[], e_seq bigint[], e_kind text[], e_key text[], e_at bigint[], e_value text[], e_error text[]";

/** The hot path: three statements for a batch of steps, with this one's lock and insertion and the worker's number. */
const advanceRuns: SqlFunction = {
  head: `advance_runs(INOUT outcomes text[], worker bigint, at_ms bigint, ${ADVANCES}, ${ENTRIES}, changes json, rest json, extra json)`,
  inner: true,
  body: `
DECLARE
  one record;
  nos bigint[];
  attempts bigint[];
  places tid[];
  ends int[];
  sent text[];
  place int;
BEGIN
  -- S3, S4: the fence of each run, under its lock: this worker owns it, under the attempt that it claimed (S8: nobody owns an ended
  -- run), and what is appended follows an entry. That nothing follows that one already, the key of the journal sees to.
  FOR one IN
    SELECT a.i, a.seen, a.first, r.no, r.ctid, r.attempt, r.inbox,
      r.awaited, a.first > 1 AND NOT EXISTS (SELECT 1 FROM everstep.journal j WHERE j.run = r.no AND j.seq = a.first - 1 OFFSET 0) AS is_gap
    FROM unnest(a_i, a_id, a_attempt, a_first, a_seen) AS a (i, id, attempt, first, seen)
    CROSS JOIN LATERAL (
      SELECT r.no, r.ctid, r.owner, r.attempt, r.inbox, r.awaited FROM everstep.runs r WHERE r.id = a.id OFFSET 0 FOR NO KEY UPDATE
    ) r
    WHERE r.owner = worker AND r.attempt = a.attempt
  LOOP
    IF one.is_gap OR one.first < 1 THEN
      outcomes[one.i] := 'rentry ' || one.first || ' can''t follow the last entry of the journal';
    ELSE
      nos[one.i] := one.no;
      attempts[one.i] := one.attempt;
      places[one.i] := one.ctid;
      -- S6: parked only with the inbox as its owner last saw it; no message can come in between, for the row is locked.
      outcomes[one.i] := CASE WHEN one.inbox > one.seen THEN 'i' ELSE 'd' END;
      IF one.awaited THEN ends := ends || one.i; END IF;
    END IF;
  END LOOP;

  IF rest -> 'consumes' IS NOT NULL THEN
    -- S7: a message is consumed once.
    FOR one IN
      SELECT c.i, c.no FROM json_to_recordset(rest -> 'consumes') AS c (i int, no bigint)
      WHERE nos[c.i] IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM everstep.messages m WHERE m.run = nos[c.i] AND m.no = c.no AND m.consumed_by IS NULL OFFSET 0)
    LOOP
      outcomes[one.i] := 'rmessage ' || one.no || ' is not there to be consumed';
      nos[one.i] := NULL;
      places[one.i] := NULL;
    END LOOP;
    UPDATE everstep.messages m SET consumed_by = c.seq
    FROM (
      SELECT f.ctid, g.seq FROM json_to_recordset(rest -> 'consumes') AS g (i int, no bigint, seq bigint)
      CROSS JOIN LATERAL (SELECT f.ctid FROM everstep.messages f WHERE f.run = nos[g.i] AND f.no = g.no OFFSET 0) f
    ) c
    WHERE m.ctid = c.ctid;
  END IF;

  IF extra -> 'sends' IS NOT NULL AND nos IS NOT NULL THEN
    -- S11: what the entries say, before they are written, for they say as well what was refused.
    sent := everstep.send_out(nos, at_ms, extra -> 'sends', (extra ->> 'waits')::boolean);
    FOR one IN
      SELECT m.i, m.seq, everstep.refusal_of(sent[m.k]) AS reason FROM json_to_recordset(extra #> '{sends,marks}') AS m (i int, k int, seq bigint)
      WHERE everstep.refusal_of(sent[m.k]) IS NOT NULL ORDER BY m.k
    LOOP
      SELECT e.place INTO place FROM generate_subscripts(e_i, 1) AS e (place) WHERE e_i[e.place] = one.i AND e_seq[e.place] = one.seq;
      IF FOUND THEN e_error[place] := one.reason; END IF;
    END LOOP;
    outcomes := everstep.note_sent(outcomes, extra #> '{sends,marks}', sent);
    -- A run may have sent something to itself.
    FOR one IN
      SELECT a.i, r.ctid, r.inbox > a.seen AS is_late FROM unnest(a_i, a_seen) AS a (i, seen)
      CROSS JOIN LATERAL (SELECT r.ctid, r.inbox FROM everstep.runs r WHERE r.no = nos[a.i] OFFSET 0) r
    LOOP
      places[one.i] := one.ctid;
      IF one.is_late THEN outcomes[one.i] := 'i'; END IF;
    END LOOP;
  END IF;

  IF e_i IS NOT NULL THEN
    INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value, error)
    SELECT nos[e.i], e.seq, attempts[e.i], e.kind, e.key, e.at, e.value, e.error
    FROM unnest(e_i, e_seq, e_kind, e_key, e_at, e_value, e_error) AS e (i, seq, kind, key, at, value, error)
    WHERE nos[e.i] IS NOT NULL;
  END IF;

  IF changes IS NOT NULL THEN
    IF ends IS NOT NULL THEN outcomes := everstep.judge_ends(outcomes, nos, ends, changes); END IF;
    UPDATE everstep.runs r SET
      phase = CASE WHEN c.act = 'end' THEN 'done' ELSE coalesce(c.phase, r.phase) END,
      strikes = CASE WHEN c.progressed THEN 0 ELSE r.strikes END,
      strikes_alone = CASE WHEN c.progressed THEN 0 ELSE r.strikes_alone END,
      alone = c.act IS NULL AND coalesce(c.alone, r.alone),
      owner = CASE WHEN c.act IS NULL THEN r.owner END,
      due_at = CASE WHEN r.paused IS NULL THEN CASE c.act WHEN 'park' THEN c.due WHEN 'release' THEN at_ms END END,
      interrupted = CASE c.act WHEN 'park' THEN false WHEN 'end' THEN false
        WHEN 'release' THEN coalesce(c.interrupted, false) ELSE r.interrupted END,
      waits = CASE c.act WHEN 'park' THEN c.waits WHEN 'end' THEN NULL ELSE r.waits END,
      stuck = CASE c.act WHEN 'stick' THEN c.stuck END,
      paused = CASE c.act WHEN 'end' THEN NULL ELSE r.paused END,
      ended = CASE c.act WHEN 'end' THEN c.status END,
      ended_at = CASE c.act WHEN 'end' THEN at_ms END,
      result = c.result,
      error = c.error
    FROM (
      SELECT places[g.i] AS place, g.phase, g.progressed, g.alone, CASE WHEN outcomes[g.i] = 'd' THEN g.act END AS act,
        g.due, g.waits, g.interrupted, g.stuck, g.status, g.result, g.error
      FROM json_to_recordset(changes) AS g (i int, phase text, progressed boolean, alone boolean, act text, due bigint,
        waits text, interrupted boolean, stuck text, status text, result text, error text)
    ) c
    -- The rows are locked, so they are where they were found.
    WHERE r.ctid = c.place;
  END IF;
  IF extra -> 'outbox' IS NOT NULL THEN
    INSERT INTO everstep.outbox (id, text)
    SELECT g.id, g.text FROM json_to_recordset(extra -> 'outbox') AS g (i int, id text, text text) WHERE nos[g.i] IS NOT NULL;
  END IF;
  IF rest IS NOT NULL THEN
    PERFORM everstep.keep_marks(nos, rest -> 'retries', rest -> 'settled', rest -> 'tags');
  END IF;
  IF changes IS NOT NULL THEN
    DELETE FROM everstep.retries WHERE ctid = ANY (ARRAY(
      SELECT f.ctid FROM json_to_recordset(changes) AS g (i int, act text)
      CROSS JOIN LATERAL (SELECT f.ctid FROM everstep.retries f WHERE f.run = nos[g.i] OFFSET 0) f
      WHERE g.act = 'end'));
    IF ends IS NOT NULL THEN outcomes := everstep.tell_ends_of(outcomes, nos, ends, at_ms, changes, rest, (extra ->> 'waits')::boolean); END IF;
  END IF;
END`,
};

/** What a write may leave beside the journal: retry rows and tags. */
const keepMarks: SqlFunction = {
  head: "keep_marks(nos bigint[], retries json, settled json, tags json) RETURNS void",
  inner: true,
  body: `
BEGIN
  IF retries IS NOT NULL THEN
    INSERT INTO everstep.retries AS t (run, key, failures, first_at, next_at, error, in_doubt)
    SELECT nos[g.i], g.key, g.failures, g.first_at, g.next_at, g.error, g.in_doubt
    FROM json_to_recordset(retries) AS g (i int, key text, failures bigint, first_at bigint, next_at bigint, error text, in_doubt boolean)
    WHERE nos[g.i] IS NOT NULL
    ON CONFLICT (run, key) DO UPDATE SET failures = excluded.failures, first_at = excluded.first_at, next_at = excluded.next_at,
      error = excluded.error, in_doubt = excluded.in_doubt;
  END IF;
  IF settled IS NOT NULL THEN
    DELETE FROM everstep.retries WHERE ctid = ANY (ARRAY(
      SELECT f.ctid FROM json_to_recordset(settled) AS g (i int, key text)
      CROSS JOIN LATERAL (SELECT f.ctid FROM everstep.retries f WHERE f.run = nos[g.i] AND f.key = g.key OFFSET 0) f));
  END IF;
  IF tags IS NOT NULL THEN
    INSERT INTO everstep.tags (run, name, value)
    SELECT nos[g.i], g.name, g.value FROM json_to_recordset(tags) AS g (i int, name text, value text)
    WHERE nos[g.i] IS NOT NULL
    ON CONFLICT (run, name) DO UPDATE SET value = excluded.value;
  END IF;
END`,
};

export const advanceFunctions: readonly SqlFunction[] = [keepMarks, advanceRuns];
