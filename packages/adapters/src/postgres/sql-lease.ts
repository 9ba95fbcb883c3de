import { ENDS_LOCK, NOW, type SqlFunction, workerLock } from "./sql.ts";
import { FREED, REFUSED } from "./sql-damage.ts";

/** Rows of dead workers are kept for a day: a frozen one that comes back is fenced with and without. */
const KEEP_DEAD_MS = 86_400_000;

/**
 * The lease protocol. A worker is one row, whatever it holds. It is live until somebody marks it dead, in one transaction with
 * freeing its runs; from then on the fence of every write finds it dead (S3). Somebody may do so when the lease is over, or when the
 * session that holds the worker's lock is gone and its row stands still; `leases.ts` judges, this only looks and acts.
 *
 * Strengths of the lock on a worker's row: a takeover and a leave take it FOR UPDATE, which excludes everything; a batch FOR NO KEY
 * UPDATE, so that there is one at a time; claims and transactions FOR KEY SHARE, beside batches and each other.
 */

/** The handshake of versions: a build that is too old for the schema takes on nothing more; what it holds it may finish. */
const admit: SqlFunction = {
  head: "admit(build int) RETURNS void",
  inner: true,
  body: `
BEGIN
  IF build < (SELECT m.value::int FROM everstep.meta m WHERE m.key = 'oldest') THEN
    RAISE EXCEPTION 'the schema was made by a newer everstep' USING ERRCODE = 'ES003';
  END IF;
END`,
};

const join: SqlFunction = {
  head: "join_worker(workflows text, specs json, lease_ms bigint, host text, pid bigint, lock_class int, build int) RETURNS text",
  body: `
DECLARE
  at_ms bigint := ${NOW};
  id bigint;
BEGIN
  PERFORM everstep.admit(build);
  -- S5: an id that is forgotten with a crash of the server would be given again.
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  DELETE FROM everstep.workers w WHERE NOT w.live AND w.expires_at < at_ms - ${KEEP_DEAD_MS};
  INSERT INTO everstep.workers AS w (live, expires_at, lease_ms, has_lock, host, pid, workflows)
  VALUES (true, at_ms + join_worker.lease_ms, join_worker.lease_ms, lock_class IS NOT NULL, join_worker.host, join_worker.pid, join_worker.workflows)
  RETURNING w.id INTO id;
  -- What has not changed is not written: all workers of a deploy tell the same.
  INSERT INTO everstep.workflows (name, version, event, priority, timeout_ms, since)
  SELECT s.name, s.version, s.event, s.priority, s.timeout_ms, at_ms
  FROM json_to_recordset(specs) AS s (name text, version text, event text, priority bigint, timeout_ms bigint)
  WHERE NOT EXISTS (SELECT 1 FROM everstep.workflows f WHERE f.name = s.name AND f.version = s.version
    AND f.priority = s.priority AND f.event IS NOT DISTINCT FROM s.event AND f.timeout_ms IS NOT DISTINCT FROM s.timeout_ms OFFSET 0)
  ON CONFLICT (name, version) DO UPDATE SET event = excluded.event, priority = excluded.priority, timeout_ms = excluded.timeout_ms;
  -- Before the row can be seen: no other worker ever finds a live row with a free lock.
  IF lock_class IS NOT NULL THEN PERFORM everstep.lock_worker(lock_class, id); END IF;
  RETURN json_build_object('worker', id, 'now', at_ms, 'expiresAt', at_ms + join_worker.lease_ms)::text;
END`,
};

/** For this session: until it ends, however it ends. True also when the session has it already. */
const lock: SqlFunction = {
  head: "lock_worker(lock_class int, id bigint) RETURNS boolean",
  inner: true,
  body: `
BEGIN
  IF EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid() AND l.classid = lock_class::oid
    AND l.objid = ${workerLock("id")}::oid AND l.objsubid = 2) THEN RETURN true; END IF;
  RETURN pg_try_advisory_lock(lock_class, ${workerLock("id")}::int);
END`,
};

const renew: SqlFunction = {
  lockTimeout: "300ms",
  head: "renew(worker bigint, beat boolean, look boolean, compare boolean, lock_class int) RETURNS text",
  body: `
DECLARE
  at_ms bigint := ${NOW};
  own record;
  is_used boolean;
  until bigint;
  has_runs boolean;
  stands boolean := true;
BEGIN
  SELECT w.live, w.expires_at, w.lease_ms, w.busy INTO own FROM everstep.workers w WHERE w.id = worker;
  IF own.live IS NOT TRUE THEN RETURN json_build_object('live', false, 'now', at_ms, 'expiresAt', coalesce(own.expires_at, at_ms))::text; END IF;
  until := own.expires_at;
  is_used := own.expires_at - at_ms < own.lease_ms * 2 / 3;
  has_runs := EXISTS (SELECT 1 FROM everstep.runs r WHERE r.owner = worker);
  IF is_used OR beat OR (own.busy AND NOT has_runs) THEN
    -- Need not survive a crash of the server: after one, nobody is judged until everybody had time to renew.
    PERFORM set_config('synchronous_commit', 'off', true);
    BEGIN
      UPDATE everstep.workers w SET beat = w.beat + 1, busy = has_runs,
        expires_at = CASE WHEN is_used THEN at_ms + w.lease_ms ELSE w.expires_at END
      WHERE w.id = worker AND w.live RETURNING w.expires_at INTO until;
      stands := FOUND;
    EXCEPTION WHEN lock_not_available THEN
      -- A batch of its own is under way, and waits for somebody: while it does, nobody takes over, and no heartbeats pile up (F45).
      until := own.expires_at;
    END;
    IF NOT stands THEN RETURN json_build_object('live', false, 'now', at_ms, 'expiresAt', own.expires_at)::text; END IF;
  END IF;
  RETURN json_build_object('live', true, 'now', at_ms, 'expiresAt', until, 'busy', has_runs,
    'serverUpMs', at_ms - floor(extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint,
    'others', (SELECT count(*) FROM everstep.workers o WHERE o.live AND o.id <> worker),
    'nextExpiry', (SELECT min(o.expires_at) FROM everstep.workers o WHERE o.live AND o.id <> worker AND o.expires_at > at_ms),
    'othersBusy', EXISTS (SELECT 1 FROM everstep.workers o WHERE o.live AND o.busy AND o.id <> worker),
    'suspects', CASE WHEN look THEN (
      SELECT json_agg(json_build_object('id', o.id, 'batch', o.batch, 'beat', o.beat, 'expiresAt', o.expires_at))
      FROM everstep.workers o WHERE o.live AND o.id <> worker AND (o.expires_at <= at_ms OR (o.has_lock AND lock_class IS NOT NULL
        AND ${workerLock("o.id")}::oid NOT IN (
          SELECT l.objid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = lock_class::oid AND l.objsubid = 2 AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))))) END,
    'endsHeard', CASE WHEN look AND lock_class IS NOT NULL THEN EXISTS (
      SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = lock_class::oid AND l.objsubid = 2
        AND l.objid = ${ENDS_LOCK}::oid AND l.pid <> pg_backend_pid() AND l.granted
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) END,
    'owned', CASE WHEN compare THEN (
      SELECT coalesce(json_agg(json_build_object('runId', r.id, 'attempt', r.attempt, 'inbox', r.inbox)), '[]')
      FROM everstep.runs r WHERE r.owner = worker) END)::text;
END`,
};

const takeOver: SqlFunction = {
  lockTimeout: "1s",
  head: "take_over(dead bigint, batch_no bigint, beat_no bigint, expired_at bigint) RETURNS boolean",
  body: `
BEGIN
  -- Only as it was when it was judged: a sign of life since then saves it, and so does a batch that is under way.
  PERFORM 1 FROM everstep.workers w WHERE w.id = dead AND w.live AND w.batch = batch_no AND w.beat = beat_no AND w.expires_at = expired_at
  FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE everstep.workers SET live = false, busy = false WHERE id = dead;
  BEGIN
    -- F42: in the order in which everybody locks runs.
    PERFORM 1 FROM everstep.runs r WHERE r.owner = dead ORDER BY r.id FOR NO KEY UPDATE;
    UPDATE everstep.runs SET ${FREED} WHERE owner = dead;
  EXCEPTION WHEN ${REFUSED} THEN
    PERFORM everstep.free_one(r.no) FROM (SELECT r.no FROM everstep.runs r WHERE r.owner = dead ORDER BY r.id) r;
  END;
  RETURN true;
END`,
};

export const leaseFunctions: readonly SqlFunction[] = [admit, lock, join, renew, takeOver];
