/**
 * The tables of everstep in a SQLite file, as numbered migrations. They live beside the application's own tables, so each name
 * begins with `everstep_`, and the version is kept in a table: `user_version` and `application_id` belong to the application.
 *
 * - A run is known inside by its `no`: half the size of its id in every row that belongs to it.
 * - `due_at` is set only while a run is claimable, so finished, owned, stuck and signal-awaiting runs are in no index of claims.
 * - The journal is an ordinary table with an index, not a clustered one: entries of a hundred runs that commit together share the
 *   last pages of the table (measured: 1.6 times the rate of WITHOUT ROWID for long journals, 1.1 times for short ones).
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
    input TEXT,
    result TEXT,
    error TEXT,
    CHECK ((ended IS NOT NULL) = (phase = 'done')),
    CHECK ((ended_at IS NOT NULL) = (phase = 'done')),
    CHECK (stuck IS NULL OR phase <> 'done'),
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

  -- Inputs longer than a page: an UPDATE rewrites a whole row, and a run's row changes with every claim.
  CREATE TABLE everstep_inputs (run INTEGER PRIMARY KEY, input TEXT NOT NULL) STRICT;

  CREATE TABLE everstep_journal (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL CHECK (seq > 0),
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    value TEXT,
    error TEXT
  ) STRICT;
  CREATE UNIQUE INDEX everstep_journal_seq ON everstep_journal (run, seq);

  CREATE TABLE everstep_messages (
    run INTEGER NOT NULL,
    no INTEGER NOT NULL CHECK (no > 0),
    type TEXT NOT NULL CHECK (type IN ('signal', 'cancel')),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    consumed_by INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX everstep_messages_no ON everstep_messages (run, no);
  CREATE UNIQUE INDEX everstep_messages_id ON everstep_messages (run, id);
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
  `,
];
