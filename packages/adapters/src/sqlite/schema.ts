/**
 * The tables of everstep in a SQLite file, as numbered migrations. They live beside the application's own tables, so each name
 * begins with `everstep_`, and the version is kept in a table: `user_version` and `application_id` belong to the application.
 *
 * - A run is known inside by its `no`: half the size of its id in every row that belongs to it.
 * - `due_at` is set only while a run is claimable, so finished, owned, stuck and signal-awaiting runs are in no index of claims.
 * - The journal is only ever appended to, and has no index: a run's row knows its last entry, each entry the one before it.
 *   So the entries of a hundred runs that commit together fill a few pages at the end of the table. Any index by run has a
 *   page for every long journal: then a commit of a hundred steps wrote 308 KB instead of 39, at half the rate; clustered by
 *   run (WITHOUT ROWID) it was slower still.
 * - The rows of runs are narrow, for they change with every entry: what can be long is in tables of its own.
 * - That a run's parent waits for its end is a bit of the run's own row, `awaited`: an end that nobody waits for looks nowhere,
 *   and a fan-out writes no rows but those of its children. Whoever else waits has a row in `everstep_waiters`.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE everstep_runs (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    priority INTEGER NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('forward', 'closing', 'compensating', 'done')),
    ended TEXT CHECK (ended IN ('completed', 'failed', 'canceled')),
    owner INTEGER,
    attempt INTEGER NOT NULL CHECK (attempt >= 0),
    due_at INTEGER,
    stuck TEXT,
    paused TEXT,
    inbox INTEGER NOT NULL DEFAULT 0 CHECK (inbox >= 0),
    strikes INTEGER NOT NULL DEFAULT 0 CHECK (strikes >= 0),
    strikes_alone INTEGER NOT NULL DEFAULT 0 CHECK (strikes_alone BETWEEN 0 AND strikes),
    alone INTEGER NOT NULL DEFAULT 0 CHECK (alone IN (0, 1)),
    interrupted INTEGER NOT NULL DEFAULT 0 CHECK (interrupted IN (0, 1)),
    waits TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    timeout_ms INTEGER,
    input_hash TEXT NOT NULL,
    entries INTEGER NOT NULL DEFAULT 0,
    last_entry INTEGER,
    entry_before INTEGER,
    -- Who is still to be told of its end: 1, its parent; 2, those in everstep_waiters; 3, both.
    awaited INTEGER NOT NULL DEFAULT 0 CHECK (awaited BETWEEN 0 AND 3),
    CHECK ((last_entry IS NOT NULL) = (entries > 0)),
    CHECK ((ended IS NOT NULL) = (phase = 'done')),
    CHECK ((ended_at IS NOT NULL) = (phase = 'done')),
    CHECK (stuck IS NULL OR phase <> 'done'),
    CHECK (paused IS NULL OR (due_at IS NULL AND phase <> 'done')),
    CHECK (owner IS NULL OR (attempt > 0 AND started_at IS NOT NULL AND stuck IS NULL AND phase <> 'done')),
    CHECK (due_at IS NULL OR (owner IS NULL AND stuck IS NULL AND phase <> 'done')),
    CHECK (alone = 0 OR owner IS NOT NULL)
  ) STRICT;
  CREATE UNIQUE INDEX everstep_runs_id ON everstep_runs (id);
  CREATE INDEX everstep_runs_due ON everstep_runs (workflow, version, priority DESC, due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX everstep_runs_owned ON everstep_runs (owner) WHERE owner IS NOT NULL;
  CREATE INDEX everstep_runs_live ON everstep_runs (no) WHERE ended IS NULL;
  CREATE INDEX everstep_runs_stuck ON everstep_runs (no) WHERE stuck IS NOT NULL;
  CREATE INDEX everstep_runs_unhappy ON everstep_runs (no) WHERE ended IN ('failed', 'canceled');
  CREATE INDEX everstep_runs_workflow ON everstep_runs (workflow);
  CREATE INDEX everstep_runs_ended ON everstep_runs (workflow, ended, ended_at) WHERE ended IS NOT NULL;
  CREATE INDEX everstep_runs_paused ON everstep_runs (no) WHERE paused IS NOT NULL;

  -- Of the runs that no client started, and of those whose input is as it was sent.
  CREATE TABLE everstep_origins (
    run INTEGER PRIMARY KEY,
    parent TEXT,
    key TEXT,
    called INTEGER NOT NULL DEFAULT 0 CHECK (called IN (0, 1)),
    event TEXT,
    raw INTEGER NOT NULL DEFAULT 0 CHECK (raw IN (0, 1)),
    CHECK ((parent IS NULL) = (key IS NULL)),
    CHECK (called = 0 OR parent IS NOT NULL)
  ) STRICT;
  CREATE INDEX everstep_origins_parent ON everstep_origins (parent) WHERE parent IS NOT NULL;

  CREATE TABLE everstep_inputs (run INTEGER PRIMARY KEY, input TEXT NOT NULL) STRICT;
  CREATE TABLE everstep_results (run INTEGER PRIMARY KEY, result TEXT, error TEXT) STRICT;

  CREATE TABLE everstep_journal (
    no INTEGER PRIMARY KEY,
    before INTEGER,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL CHECK (seq > 0),
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    value TEXT,
    error TEXT,
    CHECK ((before IS NULL) = (seq = 1))
  ) STRICT;

  -- Runs that wait for the end of a run that is not theirs from the beginning. A row goes when its waiter is told, or forgotten.
  CREATE TABLE everstep_waiters (
    no INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    waiter INTEGER NOT NULL,
    key TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX everstep_waiters_run ON everstep_waiters (run, waiter, key);
  CREATE INDEX everstep_waiters_waiter ON everstep_waiters (waiter);

  CREATE TABLE everstep_messages (
    run INTEGER NOT NULL,
    no INTEGER NOT NULL CHECK (no > 0),
    type TEXT NOT NULL CHECK (type IN ('signal', 'cancel', 'child', 'operator')),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    consumed_by INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX everstep_messages_no ON everstep_messages (run, no);
  -- A run may wait for the same end more than once.
  CREATE UNIQUE INDEX everstep_messages_id ON everstep_messages (run, id, type) WHERE type <> 'child';
  CREATE INDEX everstep_messages_new ON everstep_messages (run, no) WHERE consumed_by IS NULL;

  CREATE TABLE everstep_retries (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    failures INTEGER NOT NULL CHECK (failures >= 0),
    first_at INTEGER NOT NULL,
    next_at INTEGER,
    error TEXT,
    in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
    PRIMARY KEY (run, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE everstep_tags (
    run INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, name)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX everstep_tags_value ON everstep_tags (name, value, run);

  -- AUTOINCREMENT: an id is never used again (S5).
  CREATE TABLE everstep_workers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    batch INTEGER NOT NULL DEFAULT 0,
    replies TEXT NOT NULL DEFAULT '{"at":0,"letters":""}',
    expires_at INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL CHECK (lease_ms > 0),
    kernel TEXT,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    workflows TEXT NOT NULL
  ) STRICT;
  CREATE INDEX everstep_workers_live ON everstep_workers (id) WHERE live = 1;

  -- What workers told of, ever. Their numbers grow in the order in which versions were told of for the first time.
  CREATE TABLE everstep_workflows (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    event TEXT,
    priority INTEGER NOT NULL,
    timeout_ms INTEGER,
    since INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX everstep_workflows_name ON everstep_workflows (name, version);
  CREATE INDEX everstep_workflows_event ON everstep_workflows (event, name) WHERE event IS NOT NULL;

  CREATE TABLE everstep_workflow_pauses (
    workflow TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Numbered as they came, like the ids of purged runs: what is to be forgotten comes first.
  CREATE TABLE everstep_events (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload_hash TEXT NOT NULL,
    runs TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX everstep_events_id ON everstep_events (name, id);
  CREATE INDEX everstep_events_name ON everstep_events (name);

  CREATE TABLE everstep_purged (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    workflow TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX everstep_purged_id ON everstep_purged (id);

  -- AUTOINCREMENT: a number that was shipped is never another row's.
  CREATE TABLE everstep_outbox (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    text TEXT NOT NULL,
    taken_until INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  `,
];
