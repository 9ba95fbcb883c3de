import { NOW, type SqlFunction } from "./sql.ts";

/** A run as the port hands it out, of a row of `runs`. */
export function runJson(r: string): string {
  return `json_build_object(
    'id', ${r}.id, 'workflow', ${r}.workflow, 'version', ${r}.version, 'phase', ${r}.phase, 'end', ${r}.ended, 'owner', ${r}.owner,
    'attempt', ${r}.attempt, 'dueAt', ${r}.due_at, 'stuck', ${r}.stuck::json, 'paused', ${r}.paused::json,
    'parent', CASE WHEN ${r}.parent IS NOT NULL THEN json_build_object('runId', ${r}.parent, 'key', ${r}.parent_key, 'called', ${r}.called) END,
    'event', ${r}.event, 'raw', ${r}.raw, 'priority', ${r}.priority,
    'tags', (SELECT coalesce(json_object_agg(t.name, t.value), '{}') FROM everstep.tags t WHERE t.run = ${r}.no),
    'input', ${r}.input, 'result', ${r}.result, 'error', ${r}.error, 'inbox', ${r}.inbox, 'strikes', ${r}.strikes,
    'strikesAlone', ${r}.strikes_alone, 'interrupted', ${r}.interrupted, 'waits', coalesce(${r}.waits::json, '[]'),
    'createdAt', ${r}.created_at, 'startedAt', ${r}.started_at, 'endedAt', ${r}.ended_at, 'timeoutMs', ${r}.timeout_ms)`;
}

/** One row for each entry of the runs whose numbers are in the array, in order. */
export function entriesOf(nos: string): string {
  return `SELECT json_build_array('e', j.run, j.seq, j.kind, j.key, j.at, j.attempt, j.value, j.error)::text
    FROM everstep.journal j WHERE j.run = ANY (${nos}) ORDER BY j.run, j.seq`;
}

/** Messages not consumed yet. */
export function messagesOf(nos: string): string {
  return `SELECT json_build_array('m', m.run, m.no, m.type, m.id, m.name, m.payload, m.at)::text
    FROM everstep.messages m WHERE m.run = ANY (${nos}) AND m.consumed_by IS NULL ORDER BY m.run, m.no`;
}

export function retriesOf(nos: string): string {
  return `SELECT json_build_array('r', t.run, t.key, t.failures, t.first_at, t.next_at, t.error, t.in_doubt)::text
    FROM everstep.retries t WHERE t.run = ANY (${nos}) ORDER BY t.run, t.key`;
}

/** One run with all that belongs to it, from the snapshot of the statement that calls it. */
const read: SqlFunction = {
  head: "read(run_id text) RETURNS SETOF text",
  stable: true,
  body: `
DECLARE
  at_ms bigint := ${NOW};
  nos bigint[];
BEGIN
  SELECT array_agg(r.no) INTO nos FROM everstep.runs r WHERE r.id = run_id;
  IF nos IS NULL THEN RETURN; END IF;
  RETURN QUERY SELECT json_build_object('now', at_ms, 'claim', r.no, 'run', ${runJson("r")},
      'worker', (SELECT json_build_object('id', w.id, 'live', w.live, 'expiresAt', w.expires_at, 'host', w.host, 'pid', w.pid,
        'workflows', w.workflows::json) FROM everstep.workers w WHERE w.id = r.owner),
      'capable', (SELECT count(*) FROM everstep.workers w WHERE w.live AND w.expires_at >= at_ms AND EXISTS (
        SELECT 1 FROM json_to_recordset(w.workflows::json) AS f (name text, version text)
        WHERE f.name = r.workflow AND f.version = r.version)),
      'workflowPaused', (SELECT p.paused::json FROM everstep.workflow_pauses p WHERE p.workflow = r.workflow))::text
    FROM everstep.runs r WHERE r.no = ANY (nos);
  RETURN QUERY ${entriesOf("nos")};
  RETURN QUERY ${messagesOf("nos")};
  RETURN QUERY ${retriesOf("nos")};
END`,
};

export const readFunctions: readonly SqlFunction[] = [read];
