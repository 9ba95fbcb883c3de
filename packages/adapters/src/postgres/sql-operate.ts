import type { SqlFunction } from "./sql.ts";

/** `statusOf` of core, of a row. */
export const statusSql = (
  r: string,
): string => `CASE WHEN ${r}.ended IS NOT NULL THEN ${r}.ended WHEN ${r}.stuck IS NOT NULL THEN 'stuck'
    WHEN ${r}.phase <> 'forward' THEN 'compensating' WHEN ${r}.owner IS NOT NULL THEN 'running' WHEN ${r}.due_at <= at_ms THEN 'ready' ELSE 'waiting' END`;

const operate: SqlFunction = {
  head: "operate(INOUT outcomes text[], at_ms bigint, operations json)",
  inner: true,
  body: `
DECLARE
  one record;
  run everstep.runs;
BEGIN
  FOR one IN
    SELECT * FROM json_to_recordset(operations) AS g (i int, run text, operation text, id text, value text) ORDER BY g.run COLLATE "C"
  LOOP
    SELECT r.* INTO run FROM everstep.runs r WHERE r.id = one.run FOR NO KEY UPDATE;
    IF run.no IS NULL THEN
      outcomes[one.i] := 'n';
    ELSIF EXISTS (SELECT 1 FROM everstep.journal j WHERE j.run = run.no AND j.kind IN ('resume', 'pause') AND j.key = one.id)
      OR EXISTS (SELECT 1 FROM everstep.messages m WHERE m.run = run.no AND m.type = 'operator' AND m.id = one.id AND m.type <> 'child') THEN
      outcomes[one.i] := 'd';
    ELSIF one.operation = 'pause' THEN
      outcomes[one.i] := everstep.pause_run(run, at_ms, one.id, one.value);
    ELSE
      outcomes[one.i] := everstep.resume_run(run, at_ms, one.id, one.value);
    END IF;
  END LOOP;
END`,
};

const pauseRun: SqlFunction = {
  head: "pause_run(run everstep.runs, at_ms bigint, id text, value text) RETURNS text",
  inner: true,
  body: `
BEGIN
  IF run.ended IS NOT NULL OR run.stuck IS NOT NULL THEN RETURN 's' || ${statusSql("run")}; END IF;
  IF run.paused IS NOT NULL THEN RETURN 'd'; END IF;
  UPDATE everstep.runs r SET paused = json_build_object('at', at_ms, 'note', pause_run.value)::text, due_at = NULL, touched = true,
    held_due_at = CASE WHEN r.attempt = 0 THEN r.due_at END
  WHERE r.no = run.no;
  PERFORM everstep.note_operation(run, at_ms, 'pause', pause_run.id, pause_run.value);
  RETURN 'd';
END`,
};

const resumeRun: SqlFunction = {
  head: "resume_run(run everstep.runs, at_ms bigint, id text, value text) RETURNS text",
  inner: true,
  body: `
BEGIN
  IF run.stuck IS NULL AND run.paused IS NULL THEN RETURN 's' || ${statusSql("run")}; END IF;
  UPDATE everstep.runs r SET stuck = NULL, paused = NULL, held_due_at = NULL, touched = true,
    -- A run that was never claimed begins when it was to begin.
    due_at = CASE WHEN r.owner IS NULL THEN coalesce(r.held_due_at, at_ms) END,
    waits = CASE WHEN r.owner IS NOT NULL THEN r.waits END
  WHERE r.no = run.no;
  IF run.stuck IS NOT NULL THEN
    UPDATE everstep.runs r SET strikes = 0, strikes_alone = 0, interrupted = false WHERE r.no = run.no;
    -- What needed a person starts anew. A doubt outlives the person's "go on" in the step's row.
    UPDATE everstep.retries t SET failures = 0, first_at = at_ms, next_at = at_ms WHERE t.run = run.no AND t.next_at IS NULL;
  END IF;
  PERFORM everstep.note_operation(run, at_ms, 'resume', resume_run.id, resume_run.value);
  RETURN 'd';
END`,
};

/** Who and why, in the journal of a run that nobody owns; the owner of any other writes the entry itself (S4). */
const noteOperation: SqlFunction = {
  head: "note_operation(run everstep.runs, at_ms bigint, operation text, id text, value text) RETURNS void",
  inner: true,
  body: `
BEGIN
  IF run.owner IS NOT NULL THEN
    UPDATE everstep.runs r SET inbox = r.inbox + 1 WHERE r.no = run.no;
    INSERT INTO everstep.messages (run, no, type, id, name, payload, at)
    VALUES (run.no, run.inbox + 1, 'operator', note_operation.id, operation, note_operation.value, at_ms);
  ELSE
    -- S4: gapless, and \`at\` never decreases, whatever clock wrote the entry before.
    INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value)
    SELECT run.no, coalesce(last.seq, 0) + 1, run.attempt, operation, note_operation.id, greatest(last.at, at_ms), note_operation.value
    FROM (SELECT 1) alone LEFT JOIN LATERAL (
      SELECT j.seq, j.at FROM everstep.journal j WHERE j.run = run.no ORDER BY j.seq DESC LIMIT 1
    ) last ON true;
  END IF;
END`,
};

/** S14: what a person decided on a run that was read. */
const mendRuns: SqlFunction = {
  head: "mend_runs(INOUT outcomes text[], at_ms bigint, mends json, waits boolean)",
  inner: true,
  body: `
DECLARE
  one record;
  run everstep.runs;
  last bigint;
BEGIN
  FOR one IN
    SELECT * FROM json_to_recordset(mends) AS g (i int, run text, attempt bigint, length bigint, first bigint, kind text, key text,
      entries json, retries json, settled json, settles_all boolean, version text, phase text, act text) ORDER BY g.i
  LOOP
    SELECT r.* INTO run FROM everstep.runs r WHERE r.id = one.run FOR NO KEY UPDATE;
    SELECT max(j.seq) INTO last FROM everstep.journal j WHERE j.run = run.no;
    IF run.no IS NULL THEN
      outcomes[one.i] := 'n';
    ELSIF EXISTS (SELECT 1 FROM everstep.journal j WHERE j.run = run.no AND j.kind = one.kind AND j.key = one.key) THEN
      outcomes[one.i] := 'd';
    ELSIF run.owner IS NOT NULL OR run.attempt <> one.attempt OR coalesce(last, 0) <> one.length
      OR (run.ended IS NOT NULL AND one.phase IS NULL) THEN
      outcomes[one.i] := 'm' || ${statusSql("run")};
    ELSIF one.first <> one.length + 1 THEN
      outcomes[one.i] := 'rentry ' || one.first || ' can''t follow the last entry of the journal';
    ELSE
      PERFORM everstep.mend_run(run, at_ms, one.version, one.phase, one.act = 'due');
      INSERT INTO everstep.journal (run, seq, attempt, kind, key, at, value, error)
      SELECT run.no, e.seq, run.attempt, e.kind, e.key, e.at, e.value, e.error
      FROM json_to_recordset(one.entries) AS e (seq bigint, kind text, key text, at bigint, value text, error text);
      DELETE FROM everstep.retries t WHERE t.run = run.no AND (one.settles_all OR t.key IN (SELECT json_array_elements_text(one.settled)));
      IF one.retries IS NOT NULL THEN PERFORM everstep.keep_marks(ARRAY[run.no], one.retries, NULL, NULL); END IF;
      IF run.ended IS NOT NULL THEN PERFORM everstep.tell_of_missed(run.no, at_ms, waits); END IF;
      outcomes[one.i] := 'd';
    END IF;
  END LOOP;
END`,
};

const mendRun: SqlFunction = {
  head: "mend_run(run everstep.runs, at_ms bigint, version text, phase text, is_due boolean) RETURNS void",
  inner: true,
  body: `
BEGIN
  UPDATE everstep.runs r SET touched = true, interrupted = false, strikes = 0, strikes_alone = 0, version = coalesce(mend_run.version, r.version),
    phase = coalesce(mend_run.phase, r.phase),
    ended = CASE WHEN mend_run.phase IS NULL THEN r.ended END, ended_at = CASE WHEN mend_run.phase IS NULL THEN r.ended_at END,
    result = CASE WHEN mend_run.phase IS NULL THEN r.result END, error = CASE WHEN mend_run.phase IS NULL THEN r.error END,
    stuck = CASE WHEN NOT is_due THEN r.stuck END, paused = CASE WHEN NOT is_due THEN r.paused END,
    held_due_at = CASE WHEN NOT is_due THEN r.held_due_at END, waits = CASE WHEN NOT is_due THEN r.waits END,
    due_at = CASE WHEN is_due THEN at_ms ELSE r.due_at END
  WHERE r.no = run.no;
END`,
};

const pauseWorkflows: SqlFunction = {
  head: "pause_workflows(INOUT outcomes text[], at_ms bigint, pauses json)",
  inner: true,
  body: `
DECLARE
  one record;
BEGIN
  FOR one IN SELECT * FROM json_to_recordset(pauses) AS g (i int, workflow text, note text) ORDER BY g.i LOOP
    IF one.note IS NULL THEN
      DELETE FROM everstep.workflow_pauses p WHERE p.workflow = one.workflow;
    ELSE
      INSERT INTO everstep.workflow_pauses (workflow, paused) VALUES (one.workflow, json_build_object('at', at_ms, 'note', one.note)::text)
      ON CONFLICT (workflow) DO NOTHING;
    END IF;
    outcomes[one.i] := 'd';
  END LOOP;
END`,
};

/** What persons do. */
export const operateFunctions: readonly SqlFunction[] = [
  noteOperation,
  pauseRun,
  resumeRun,
  operate,
  mendRun,
  mendRuns,
  pauseWorkflows,
];
