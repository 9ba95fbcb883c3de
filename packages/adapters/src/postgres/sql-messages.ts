import type { SqlFunction } from "./sql.ts";

/** What runs are sent. `senders` as in `start_runs`. */
const sendMessages: SqlFunction = {
  head: "send_messages(INOUT outcomes text[], at_ms bigint, messages json, senders bigint[])",
  inner: true,
  body: `
DECLARE
  one record;
  locked bigint[];
BEGIN
  -- The next statement sees what is true once these are locked. It may see a run that was not there yet to be locked: for such a
  -- message there is no run, or its owner's first write and this one would pass each other, and the inbox lose count (S6).
  SELECT array_agg(r.no) INTO locked FROM (
    SELECT g.run FROM json_to_recordset(messages) AS g (a int, run text) WHERE senders IS NULL OR senders[g.a] IS NOT NULL
  ) g CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = g.run OFFSET 0 FOR NO KEY UPDATE) r;

  FOR one IN
    WITH given AS MATERIALIZED (
      SELECT g.*, r.no, r.inbox, r.ended,
        -- S7: a seen id is a duplicate also after the run ended, so that a sender may always try again.
        g.type <> 'child' AND EXISTS (SELECT 1 FROM everstep.messages m
          WHERE m.run = r.no AND m.type = g.type AND m.id = g.id AND m.type <> 'child' OFFSET 0) AS seen,
        g.type <> 'child' AND row_number() OVER (PARTITION BY g.run, g.type, g.id ORDER BY g.i) > 1 AND r.ended IS NULL AS again
      FROM json_to_recordset(messages) AS g (i int, a int, run text, type text, id text, name text, payload text)
      LEFT JOIN LATERAL (
        SELECT r.no, r.inbox, r.ended FROM everstep.runs r WHERE r.id = g.run AND r.no = ANY (locked) OFFSET 0) r ON true
      WHERE senders IS NULL OR senders[g.a] IS NOT NULL
    ), taken AS MATERIALIZED (
      SELECT g.*, g.inbox + row_number() OVER (PARTITION BY g.no ORDER BY g.i) AS next
      FROM given g WHERE g.no IS NOT NULL AND g.ended IS NULL AND NOT g.seen AND NOT g.again
    ), inserted AS (
      INSERT INTO everstep.messages (run, no, type, id, name, payload, at)
      SELECT t.no, t.next, t.type, t.id, t.name, t.payload, at_ms FROM taken t
    ), woken AS (
      -- S6: a parked run is due with the message. A signal leaves a stuck or paused run to its person, and a delayed start to its
      -- time; a cancel waits for none of them.
      UPDATE everstep.runs r SET inbox = t.next,
        stuck = CASE WHEN t.cancels THEN NULL ELSE r.stuck END,
        paused = CASE WHEN t.cancels THEN NULL ELSE r.paused END,
        held_due_at = CASE WHEN t.cancels THEN NULL ELSE r.held_due_at END,
        due_at = CASE WHEN r.owner IS NULL AND (t.cancels OR (r.stuck IS NULL AND r.paused IS NULL AND r.attempt > 0))
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

export const messageFunctions: readonly SqlFunction[] = [sendMessages];
