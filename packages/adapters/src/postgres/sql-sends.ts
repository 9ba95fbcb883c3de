import type { SqlFunction } from "./sql.ts";
import { REFUSED } from "./sql-damage.ts";

/**
 * What the advances of a wave send out (S11): all starts in one statement, all events, all messages. `phases` divides what must come one
 * after the other, such as a message to a run that is started after it. `sent` is the answer to each, by its place among all.
 */
const sendOut: SqlFunction = {
  head: "send_out(nos bigint[], at_ms bigint, sends json, waits boolean) RETURNS text[]",
  inner: true,
  body: `
DECLARE
  phase json;
  sent text[];
BEGIN
  FOR phase IN SELECT p.value FROM json_array_elements(sends -> 'phases') AS p LOOP
    IF sends -> 'guarded' IS NULL THEN
      sent := everstep.send_phase(sent, nos, at_ms, phase, waits);
    ELSE
      -- F57: data that can't be stored is the send's alone; there is one in each phase then.
      BEGIN
        sent := everstep.send_phase(sent, nos, at_ms, phase, waits);
      EXCEPTION WHEN ${REFUSED} THEN
        sent[(phase ->> 'k')::int] := 'r' || SQLERRM;
      END;
    END IF;
  END LOOP;
  RETURN sent;
END`,
};

const sendPhase: SqlFunction = {
  head: "send_phase(INOUT sent text[], nos bigint[], at_ms bigint, phase json, waits boolean)",
  inner: true,
  body: `
BEGIN
  IF phase -> 'starts' IS NOT NULL THEN
    sent := everstep.start_runs(sent, NULL, at_ms, phase -> 'starts', phase -> 'given', phase -> 'names', nos);
    IF phase -> 'awaits' IS NOT NULL THEN sent := everstep.await_children(sent, nos, at_ms, phase -> 'awaits', waits); END IF;
  END IF;
  IF phase -> 'emits' IS NOT NULL THEN sent := everstep.emit_events(sent, at_ms, phase -> 'emits', nos); END IF;
  IF phase -> 'messages' IS NOT NULL THEN sent := everstep.send_messages(sent, at_ms, phase -> 'messages', nos); END IF;
END`,
};

/** Their parents wait for them. Of one whose id was purged nobody could ever be told: it is not found. */
const awaitChildren: SqlFunction = {
  head: "await_children(INOUT sent text[], nos bigint[], at_ms bigint, awaits json, waits boolean)",
  inner: true,
  body: `
DECLARE
  one record;
  ids text[];
  who bigint[];
  keys text[];
BEGIN
  INSERT INTO everstep.waiters (run, waiter, key)
  SELECT r.no, nos[g.a], g.key FROM json_to_recordset(awaits) AS g (i int, a int, id text, key text)
  CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = g.id OFFSET 0) r
  WHERE sent[g.i] = 'c';
  SELECT array_agg(g.id ORDER BY g.i), array_agg(nos[g.a] ORDER BY g.i), array_agg(g.key ORDER BY g.i) INTO ids, who, keys
  FROM json_to_recordset(awaits) AS g (i int, a int, id text, key text) WHERE sent[g.i] = 'x';
  IF ids IS NULL THEN RETURN; END IF;
  PERFORM everstep.await_ends(ids, who, keys, at_ms, waits);
  FOR one IN
    SELECT g.i FROM json_to_recordset(awaits) AS g (i int, id text)
    WHERE sent[g.i] = 'x' AND NOT EXISTS (SELECT 1 FROM everstep.runs r WHERE r.id = g.id OFFSET 0)
  LOOP
    sent[one.i] := 'n';
  END LOOP;
END`,
};

/** The error of an entry whose send was refused; NULL when it was not. */
const refusalOf: SqlFunction = {
  head: "refusal_of(letter text) RETURNS text",
  inner: true,
  body: `
BEGIN
  RETURN CASE left(letter, 1) WHEN 'C' THEN rtrim('conflict ' || substr(letter, 2), ' ') WHEN 'n' THEN 'not-found'
    WHEN 'e' THEN 'ended ' || substr(letter, 2) WHEN 'r' THEN 'refused ' || substr(letter, 2) END;
END`,
};

/** An advance whose sends were refused, or started runs that its worker can't know of, is answered with that. */
const noteSent: SqlFunction = {
  head: "note_sent(INOUT outcomes text[], marks json, sent text[])",
  inner: true,
  body: `
DECLARE
  one record;
BEGIN
  FOR one IN
    SELECT s.i, json_agg(json_build_object('seq', s.seq, 'reason', s.reason) ORDER BY s.k) FILTER (WHERE s.reason IS NOT NULL AND s.seq IS NOT NULL) AS refused,
      json_agg(s.runs) FILTER (WHERE s.runs IS NOT NULL) AS woke
    FROM (
      SELECT m.i, m.k, m.seq, everstep.refusal_of(sent[m.k]) AS reason,
        CASE WHEN sent[m.k] LIKE 'E{"again":false%' THEN substr(sent[m.k], 2)::json -> 'runs' END AS runs
      FROM json_to_recordset(marks) AS m (i int, k int, seq bigint) WHERE sent[m.k] NOT IN ('c', 'x', 'd', 'u')
    ) s GROUP BY s.i
  LOOP
    IF one.refused IS NOT NULL OR one.woke IS NOT NULL THEN
      outcomes[one.i] := 'D' || json_build_object('refused', one.refused, 'woke', one.woke);
    END IF;
  END LOOP;
END`,
};

export const sendFunctions: readonly SqlFunction[] = [refusalOf, noteSent, awaitChildren, sendPhase, sendOut];
