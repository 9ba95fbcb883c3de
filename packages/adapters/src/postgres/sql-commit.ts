import { NOW, type SqlFunction } from "./sql.ts";
import { REFUSED } from "./sql-damage.ts";
import { advanceFunctions, ADVANCES, ENTRIES } from "./sql-advance.ts";
import { aloneFunctions } from "./sql-alone.ts";
import { eventFunctions } from "./sql-events.ts";
import { keepingFunctions } from "./sql-keeping.ts";
import { messageFunctions } from "./sql-messages.ts";
import { operateFunctions } from "./sql-operate.ts";
import { sendFunctions } from "./sql-sends.ts";
import { startFunctions } from "./sql-start.ts";
import { waitingFunctions } from "./sql-waiting.ts";

/**
 * A batch is one call of `commit`: one statement, one transaction and one round trip, whatever its size. Its writes come by kind,
 * each kind in one statement. A wave names a run in at most one write, messages excepted, so that the order within a wave means
 * nothing; what comes later for the same run is in a later wave (`more`).
 *
 * Rows are locked before they are judged, and each statement sees what was committed before it began. So every decision is made on
 * what stays true until the end of the transaction:
 *
 * - The worker's row first (S2, S3): a takeover waits for it, or it for the takeover.
 * - Then the rows of all runs, in the order in which they are given, which is that of their ids (F42). Claims, messages, operators and
 *   takeovers lock the same rows.
 *
 * An outcome is a letter: d(one), f(enced), c(reated), o(wned: created and claimed), x (exists), u (duplicate), n(ot found),
 * i(nbox changed); or one with text behind it: C workflow (conflict), e status (ended), s status (wrong state), m status (changed
 * meanwhile), r reason (refused); or with JSON: E (emitted: which runs), D (done: what was refused of its sends, and which other runs woke).
 */

const apply: SqlFunction = {
  head: `apply(INOUT outcomes text[], worker bigint, at_ms bigint, starts json, ${ADVANCES}, ${ENTRIES}, changes json, rest json,
    extra json)`,
  inner: true,
  body: `
BEGIN
  IF starts IS NOT NULL THEN
    outcomes := everstep.start_runs(outcomes, worker, at_ms, starts, rest -> 'given', extra -> 'names', NULL);
  END IF;
  IF a_i IS NOT NULL AND worker IS NOT NULL THEN
    outcomes := everstep.advance_runs(outcomes, worker, at_ms, a_i, a_id, a_attempt, a_first, a_seen,
      e_i, e_seq, e_kind, e_key, e_at, e_value, e_error, changes, rest, extra);
  END IF;
  IF rest -> 'messages' IS NOT NULL THEN outcomes := everstep.send_messages(outcomes, at_ms, rest -> 'messages', NULL); END IF;
  IF rest -> 'operations' IS NOT NULL THEN outcomes := everstep.operate(outcomes, at_ms, rest -> 'operations'); END IF;
  IF extra IS NOT NULL THEN outcomes := everstep.apply_extra(outcomes, at_ms, extra, (extra ->> 'waits')::boolean); END IF;
END`,
};

/** What an ordinary batch has nothing of. */
const applyExtra: SqlFunction = {
  head: "apply_extra(INOUT outcomes text[], at_ms bigint, extra json, waits boolean)",
  inner: true,
  body: `
DECLARE
  one record;
BEGIN
  IF extra -> 'emits' IS NOT NULL THEN outcomes := everstep.emit_events(outcomes, at_ms, extra -> 'emits', NULL); END IF;
  IF extra -> 'mends' IS NOT NULL THEN outcomes := everstep.mend_runs(outcomes, at_ms, extra -> 'mends', waits); END IF;
  IF extra -> 'pauses' IS NOT NULL THEN outcomes := everstep.pause_workflows(outcomes, at_ms, extra -> 'pauses'); END IF;
  IF extra -> 'purges' IS NOT NULL THEN outcomes := everstep.purge_runs(outcomes, at_ms, extra -> 'purges', waits); END IF;
  IF extra -> 'imports' IS NOT NULL THEN outcomes := everstep.import_runs(outcomes, at_ms, extra -> 'imports', waits); END IF;
  IF extra -> 'shipped' IS NOT NULL THEN
    DELETE FROM everstep.outbox o WHERE o.no IN (SELECT s.value::bigint FROM json_array_elements_text(extra #> '{shipped,nos}') AS s);
    FOR one IN SELECT s.value::int AS i FROM json_array_elements_text(extra #> '{shipped,i}') AS s LOOP outcomes[one.i] := 'd'; END LOOP;
  END IF;
END`,
};

const ADVANCE_TYPES = { i: "int", id: "text", attempt: "bigint", first: "bigint", seen: "bigint" } as const;
const ENTRY_TYPES = {
  i: "int",
  seq: "bigint",
  kind: "text",
  key: "text",
  at: "bigint",
  value: "text",
  error: "text",
} as const;

/** The columns of a part of a wave, as arrays. */
function columnsOf(part: string, types: Readonly<Record<string, string>>): string {
  return Object.entries(types)
    .map(([name, type]) => `everstep.texts(wave #> '{${part},${name}}')::${type}[]`)
    .join(", ");
}

/** A wave that came as one text. */
const applyWave: SqlFunction = {
  head: "apply_wave(INOUT outcomes text[], worker bigint, at_ms bigint, wave json)",
  inner: true,
  body: `
BEGIN
  outcomes := everstep.apply(outcomes, worker, at_ms, wave -> 'starts',
    ${columnsOf("advances", ADVANCE_TYPES)},
    ${columnsOf("entries", ENTRY_TYPES)},
    wave -> 'changes', wave -> 'rest', wave -> 'extra');
END`,
};

/** The elements of a list, in order; NULL without one. */
const texts: SqlFunction = {
  head: "texts(list json) RETURNS text[]",
  inner: true,
  body: `
BEGIN
  RETURN (SELECT array_agg(t.value ORDER BY t.ordinality) FROM json_array_elements_text(list) WITH ORDINALITY AS t);
END`,
};

/** A wave of one write, whose data may be refused (F57): then nothing of it happened. */
const applyAlone: SqlFunction = {
  head: "apply_alone(INOUT outcomes text[], i int, worker bigint, at_ms bigint, wave json)",
  inner: true,
  body: `
BEGIN
  outcomes := everstep.apply_wave(outcomes, worker, at_ms, wave);
EXCEPTION WHEN ${REFUSED} THEN
  outcomes[i] := 'r' || SQLERRM;
END`,
};

const commit: SqlFunction = {
  head: `commit(worker bigint, batch_no bigint, expected text, starts json, ${ADVANCES}, ${ENTRIES}, changes json, rest json,
    extra json, more json, outbox json, locks text[], ordered boolean, leave_wave int, leave_i int, alone boolean, channel text) RETURNS text`,
  body: `
DECLARE
  holder bigint;
  last_batch bigint;
  last_reply text;
  wave json;
  place int;
  at_ms bigint := ${NOW};
  answer text := json_build_object('at', at_ms, 'letters', expected)::text;
  outcomes text[] := array_fill('f'::text, ARRAY[length(expected)]);
BEGIN
  -- P1: durable when it is answered, whatever the database's default.
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  IF leave_wave IS NOT NULL THEN
    -- Like a takeover: a claim that is under way is waited for, so that its runs are freed as well (P1). At first, before the batch's
    -- own lock: the claim may want that one still.
    PERFORM 1 FROM everstep.workers w WHERE w.id = worker FOR UPDATE;
  END IF;
  IF worker IS NOT NULL THEN
    -- S2, S3: with the answer that is nearly always the right one.
    UPDATE everstep.workers w SET batch = batch_no, reply = answer, busy = true
    WHERE w.id = worker AND w.batch = batch_no - 1 AND w.live RETURNING w.id INTO holder;
    IF holder IS NULL THEN
      SELECT w.batch, w.reply INTO last_batch, last_reply FROM everstep.workers w WHERE w.id = worker FOR NO KEY UPDATE;
      IF last_batch = batch_no THEN
        -- Also when the lease is gone by now; what was applied was applied.
        RETURN last_reply;
      ELSIF last_batch <> batch_no - 1 THEN
        RAISE EXCEPTION 'worker % sent batch % after batch %: its batches must be numbered 1, 2, 3 … without gaps', worker, batch_no, last_batch
          USING ERRCODE = 'ES002';
      ELSIF last_batch IS NULL AND worker > (SELECT last_value FROM everstep.workers_id_seq) THEN
        RAISE EXCEPTION 'there is no worker % in this database: use the lease that join() of this store gave', worker USING ERRCODE = 'ES002';
      END IF;
      -- A dead worker's batch is numbered too: what its clients asked for is applied.
      UPDATE everstep.workers w SET batch = batch_no, reply = answer WHERE w.id = worker;
    ELSIF channel IS NOT NULL THEN
      PERFORM pg_notify(channel, 'busy');
    END IF;
  END IF;
  IF ordered THEN
    -- F42: with the runs that wait for the end of one of these.
    SELECT array_agg(l.id ORDER BY l.id COLLATE "C") INTO locks FROM (
      SELECT l.id FROM unnest(locks) AS l (id)
      UNION
      SELECT p.id FROM unnest(locks) AS l (id)
      CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = l.id AND r.awaited OFFSET 0) r
      CROSS JOIN LATERAL (SELECT w.waiter FROM everstep.waiters w WHERE w.run = r.no OFFSET 0) w
      CROSS JOIN LATERAL (SELECT p.id FROM everstep.runs p WHERE p.no = w.waiter OFFSET 0) p
    ) l;
  END IF;
  IF locks IS NOT NULL THEN
    PERFORM 1 FROM unnest(locks) AS l (id)
    CROSS JOIN LATERAL (SELECT r.no FROM everstep.runs r WHERE r.id = l.id OFFSET 0 FOR NO KEY UPDATE) r;
  END IF;

  outcomes := everstep.apply(outcomes, holder, at_ms, starts, a_i, a_id, a_attempt, a_first, a_seen,
    e_i, e_seq, e_kind, e_key, e_at, e_value, e_error, changes, rest, extra);
  IF more IS NOT NULL THEN
    -- Nothing of a wave is looked at here: its text may be what can't be held.
    FOR wave, place IN SELECT w.value, w.ordinality FROM json_array_elements(more) WITH ORDINALITY AS w LOOP
      IF place = leave_wave THEN
        IF holder IS NOT NULL THEN
          -- S3: whatever comes after it is fenced. Its runs are due without a strike.
          UPDATE everstep.workers SET live = false, busy = false WHERE id = worker;
          PERFORM 1 FROM everstep.runs r WHERE r.owner = worker ORDER BY r.id FOR NO KEY UPDATE;
          UPDATE everstep.runs SET owner = NULL, due_at = CASE WHEN paused IS NULL THEN at_ms END, alone = false WHERE owner = worker;
          outcomes[leave_i] := 'd';
          holder := NULL;
        END IF;
      ELSIF alone THEN
        outcomes := everstep.apply_alone(outcomes, place, holder, at_ms, wave);
      ELSE
        outcomes := everstep.apply_wave(outcomes, holder, at_ms, wave);
      END IF;
    END LOOP;
  END IF;

  IF outbox IS NOT NULL THEN
    -- In the order of the batch; of what was let through.
    INSERT INTO everstep.outbox (id, text)
    SELECT g.id, g.text FROM json_to_recordset(outbox) AS g (i int, id text, text text) WHERE left(outcomes[g.i], 1) IN ('d', 'D', 'i') ORDER BY g.i;
  END IF;
  IF array_to_string(outcomes, '') <> expected THEN
    answer := json_build_object('at', at_ms, 'each', outcomes)::text;
    UPDATE everstep.workers w SET reply = answer WHERE w.id = worker;
  END IF;
  RETURN answer;
END`,
};

/** Starts and messages inside a transaction of the caller's own: each answered for itself, none breaks the caller's transaction. */
const enlist: SqlFunction = {
  lockTimeout: null,
  head: "enlist(count int, waves json, channel text, hint text, began text) RETURNS text",
  body: `
DECLARE
  wave json;
  place int;
  at_ms bigint := ${NOW};
  outcomes text[] := array_fill('f'::text, ARRAY[count]);
BEGIN
  -- P4: the statement before was in this transaction as well, so this one does not end it.
  IF extract(epoch FROM transaction_timestamp())::text <> began THEN RETURN NULL; END IF;
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  FOR wave, place IN SELECT w.value, w.ordinality FROM json_array_elements(waves) WITH ORDINALITY AS w LOOP
    outcomes := everstep.apply_alone(outcomes, place, NULL, at_ms, wave);
  END LOOP;
  IF channel IS NOT NULL THEN PERFORM pg_notify(channel, hint); END IF;
  RETURN json_build_object('at', at_ms, 'each', outcomes)::text;
END`,
};

/** What a batch is applied by. */
export const commitFunctions: readonly SqlFunction[] = [
  ...advanceFunctions,
  ...startFunctions,
  ...messageFunctions,
  ...waitingFunctions,
  ...eventFunctions,
  ...sendFunctions,
  ...operateFunctions,
  ...keepingFunctions,
  texts,
  applyExtra,
  apply,
  applyWave,
  applyAlone,
  commit,
  ...aloneFunctions,
  enlist,
];
