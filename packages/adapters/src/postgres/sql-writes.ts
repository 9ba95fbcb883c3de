import type { SqlFunction } from "./sql.ts";

const startRuns: SqlFunction = {
  head: "start_runs(INOUT outcomes text[], worker bigint, at_ms bigint, starts json, tags json)",
  inner: true,
  body: `
DECLARE
  one record;
  old record;
  nos bigint[];
BEGIN
  FOR one IN
    WITH given AS MATERIALIZED (
      SELECT g.*, CASE WHEN g.claim THEN worker END AS owner
      FROM json_to_recordset(starts) AS g (i int, id text, workflow text, version text, input text, hash text, priority bigint,
        timeout bigint, due bigint, delay bigint, claim boolean)
    ), created AS (
      INSERT INTO everstep.runs (id, workflow, version, priority, phase, owner, attempt, due_at, created_at, started_at,
        timeout_ms, input_hash, input)
      SELECT g.id, g.workflow, g.version, g.priority, 'forward', g.owner, CASE WHEN g.owner IS NULL THEN 0 ELSE 1 END,
        CASE WHEN g.owner IS NULL THEN coalesce(g.due, at_ms + coalesce(g.delay, 0)) END, at_ms,
        CASE WHEN g.owner IS NOT NULL THEN at_ms END, g.timeout, g.hash, g.input
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
    ELSE
      SELECT r.workflow, r.input_hash INTO old FROM everstep.runs r WHERE r.id = one.id;
      outcomes[one.i] := CASE WHEN old.workflow = one.workflow AND old.input_hash = one.hash THEN 'x'
        ELSE 'C' || coalesce(old.workflow, '') END;
    END IF;
  END LOOP;
  IF tags IS NOT NULL THEN PERFORM everstep.keep_marks(nos, NULL, NULL, tags); END IF;
END`,
};

/** The write, its run, the attempt under which that is owned, its first entry, and the inbox that its owner saw before parking. */
export const ADVANCES = "a_i int[], a_id text[], a_attempt bigint[], a_first bigint[], a_seen bigint[]";
/** The write that an entry belongs to, and the entry. */
export const ENTRIES =
  "e_i int[], e_seq bigint[], e_kind text[], e_key text[], e_at bigint[], e_value text[], e_error text[]";

/** The hot path: three statements for a batch of steps, with this one's lock and insertion and the worker's number. */
const advanceRuns: SqlFunction = {
  head: `advance_runs(INOUT outcomes text[], worker bigint, at_ms bigint, ${ADVANCES}, ${ENTRIES}, changes json, rest json)`,
  inner: true,
  body: `
DECLARE
  one record;
  nos bigint[];
  attempts bigint[];
  places tid[];
BEGIN
  -- S3, S4: the fence of each run, under its lock: this worker owns it, under the attempt that it claimed (S8: nobody owns an ended
  -- run), and what is appended follows an entry. That nothing follows that one already, the key of the journal sees to.
  FOR one IN
    SELECT a.i, a.seen, a.first, r.no, r.ctid, r.attempt, r.inbox,
      a.first > 1 AND NOT EXISTS (SELECT 1 FROM everstep.journal j WHERE j.run = r.no AND j.seq = a.first - 1 OFFSET 0) AS is_gap
    FROM unnest(a_i, a_id, a_attempt, a_first, a_seen) AS a (i, id, attempt, first, seen)
    CROSS JOIN LATERAL (
      SELECT r.no, r.ctid, r.owner, r.attempt, r.inbox FROM everstep.runs r WHERE r.id = a.id OFFSET 0 FOR NO KEY UPDATE
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

  IF e_i IS NOT NULL THEN
    INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value, error)
    SELECT nos[e.i], e.seq, attempts[e.i], e.kind, e.key, e.at, e.value, e.error
    FROM unnest(e_i, e_seq, e_kind, e_key, e_at, e_value, e_error) AS e (i, seq, kind, key, at, value, error)
    WHERE nos[e.i] IS NOT NULL;
  END IF;

  IF changes IS NOT NULL THEN
    UPDATE everstep.runs r SET
      phase = CASE WHEN c.act = 'end' THEN 'done' ELSE coalesce(c.phase, r.phase) END,
      strikes = CASE WHEN c.progressed THEN 0 ELSE r.strikes END,
      strikes_alone = CASE WHEN c.progressed THEN 0 ELSE r.strikes_alone END,
      alone = c.act IS NULL AND coalesce(c.alone, r.alone),
      owner = CASE WHEN c.act IS NULL THEN r.owner END,
      due_at = CASE c.act WHEN 'park' THEN c.due WHEN 'release' THEN at_ms END,
      interrupted = CASE c.act WHEN 'park' THEN false WHEN 'end' THEN false
        WHEN 'release' THEN coalesce(c.interrupted, false) ELSE r.interrupted END,
      waits = CASE c.act WHEN 'park' THEN c.waits WHEN 'end' THEN NULL ELSE r.waits END,
      stuck = CASE c.act WHEN 'stick' THEN c.stuck END,
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
  IF rest IS NOT NULL THEN
    PERFORM everstep.keep_marks(nos, rest -> 'retries', rest -> 'settled', rest -> 'tags');
  END IF;
  IF changes IS NOT NULL THEN
    DELETE FROM everstep.retries WHERE ctid = ANY (ARRAY(
      SELECT f.ctid FROM json_to_recordset(changes) AS g (i int, act text)
      CROSS JOIN LATERAL (SELECT f.ctid FROM everstep.retries f WHERE f.run = nos[g.i] OFFSET 0) f
      WHERE g.act = 'end'));
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

const sendMessages: SqlFunction = {
  head: "send_messages(INOUT outcomes text[], at_ms bigint, messages json)",
  inner: true,
  body: `
DECLARE
  one record;
  locked bigint[];
BEGIN
  -- The next statement sees what is true once these are locked. It may see a run that was not there yet to be locked: for such a
  -- message there is no run, or its owner's first write and this one would pass each other, and the inbox lose count (S6).
  SELECT array_agg(r.no) INTO locked FROM (
    SELECT g.run FROM json_to_recordset(messages) AS g (run text)
  ) g CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = g.run OFFSET 0 FOR NO KEY UPDATE) r;

  FOR one IN
    WITH given AS MATERIALIZED (
      SELECT g.*, r.no, r.inbox, r.ended,
        -- S7: a seen id is a duplicate also after the run ended, so that a sender may always try again.
        EXISTS (SELECT 1 FROM everstep.messages m WHERE m.run = r.no AND m.id = g.id OFFSET 0) AS seen,
        row_number() OVER (PARTITION BY g.run, g.id ORDER BY g.i) > 1 AND r.ended IS NULL AS again
      FROM json_to_recordset(messages) AS g (i int, run text, type text, id text, name text, payload text)
      LEFT JOIN LATERAL (
        SELECT r.no, r.inbox, r.ended FROM everstep.runs r WHERE r.id = g.run AND r.no = ANY (locked) OFFSET 0) r ON true
    ), taken AS MATERIALIZED (
      SELECT g.*, g.inbox + row_number() OVER (PARTITION BY g.no ORDER BY g.i) AS next
      FROM given g WHERE g.no IS NOT NULL AND g.ended IS NULL AND NOT g.seen AND NOT g.again
    ), inserted AS (
      INSERT INTO everstep.messages (run, no, type, id, name, payload, at)
      SELECT t.no, t.next, t.type, t.id, t.name, t.payload, at_ms FROM taken t
    ), woken AS (
      -- S6: a parked run is due with the message. A signal leaves a stuck run to its person, and a delayed start to its time; a
      -- cancel waits for neither.
      UPDATE everstep.runs r SET inbox = t.next,
        stuck = CASE WHEN t.cancels THEN NULL ELSE r.stuck END,
        due_at = CASE WHEN r.owner IS NULL AND (t.cancels OR (r.stuck IS NULL AND r.attempt > 0))
          THEN least(coalesce(r.due_at, at_ms), at_ms) ELSE r.due_at END
      FROM (
        SELECT t.next, t.cancels, f.ctid
        FROM (SELECT t.no, max(t.next) AS next, bool_or(t.type = 'cancel') AS cancels FROM taken t GROUP BY t.no) t
        CROSS JOIN LATERAL (SELECT f.ctid FROM everstep.runs f WHERE f.no = t.no OFFSET 0) f
      ) t
      WHERE r.ctid = t.ctid
    )
    SELECT g.i, CASE WHEN g.no IS NULL THEN 'n' WHEN g.seen OR g.again THEN 'u' WHEN g.ended IS NOT NULL THEN 'e' || g.ended ELSE 'd' END AS outcome
    FROM given g
  LOOP
    outcomes[one.i] := one.outcome;
  END LOOP;
END`,
};

const operate: SqlFunction = {
  head: "operate(INOUT outcomes text[], at_ms bigint, operations json)",
  inner: true,
  body: `
DECLARE
  one record;
  run record;
BEGIN
  FOR one IN SELECT * FROM json_to_recordset(operations) AS g (i int, run text, id text, value text) ORDER BY g.run COLLATE "C" LOOP
    SELECT r.* INTO run FROM everstep.runs r WHERE r.id = one.run FOR NO KEY UPDATE;
    IF run.no IS NULL THEN
      outcomes[one.i] := 'n';
    ELSIF EXISTS (SELECT 1 FROM everstep.journal j WHERE j.run = run.no AND j.kind = 'resume' AND j.key = one.id) THEN
      outcomes[one.i] := 'd';
    ELSIF run.stuck IS NULL THEN
      outcomes[one.i] := 's' || CASE WHEN run.ended IS NOT NULL THEN run.ended WHEN run.phase <> 'forward' THEN 'compensating'
        WHEN run.owner IS NOT NULL THEN 'running' WHEN run.due_at <= at_ms THEN 'ready' ELSE 'waiting' END;
    ELSE
      UPDATE everstep.runs SET stuck = NULL, strikes = 0, strikes_alone = 0, interrupted = false, due_at = at_ms WHERE no = run.no;
      -- What needed a person starts anew. A doubt outlives the person's "go on" in the step's row.
      UPDATE everstep.retries t SET failures = 0, first_at = at_ms, next_at = at_ms WHERE t.run = run.no AND t.next_at IS NULL;
      -- S4: gapless, and \`at\` never decreases, whatever clock wrote the entry before.
      INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value)
      SELECT run.no, coalesce(last.seq, 0) + 1, run.attempt, 'resume', one.id, greatest(last.at, at_ms), one.value
      FROM (SELECT 1) alone LEFT JOIN LATERAL (
        SELECT j.seq, j.at FROM everstep.journal j WHERE j.run = run.no ORDER BY j.seq DESC LIMIT 1
      ) last ON true;
      outcomes[one.i] := 'd';
    END IF;
  END LOOP;
END`,
};

/** What a batch does, kind by kind. */
export const writeFunctions: readonly SqlFunction[] = [
  keepMarks,
  startRuns,
  advanceRuns,
  sendMessages,
  operate,
];
