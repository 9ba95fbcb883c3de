/**
 * The tables of everstep in Postgres, in a schema of their own.
 *
 * - A run is known inside by its `no`: shorter than its id in every row that belongs to it.
 * - `due_at` is set only while a run is claimable, so finished, owned, stuck and signal-awaiting runs are in no index of claims;
 *   all indexes that a worker uses are partial or begin with the run.
 * - An entry is appended without touching its run's row: that is locked, not rewritten. A row of `runs` changes when its run is
 *   claimed, let go or marked, and leaves room in its page for that.
 * - Text, never `jsonb`: that rewrites numbers and key order, and refuses some text after the effect has happened (F59, F103).
 * - `awaited` says that somebody waited for the run's end once, so that all others end without looking for who does; `touched`, that a
 *   person wrote of it, or that it was imported, so that any other one is claimed for the first time without looking for entries.
 * - `bigint` for every count, instant and number (F58); a lease's token is a number, never a timestamp (F55).
 */
export const TABLES = `
  CREATE TABLE everstep.meta (key text PRIMARY KEY, value text NOT NULL);

  CREATE TABLE everstep.runs (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    workflow text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    priority bigint NOT NULL,
    phase text NOT NULL CHECK (phase IN ('forward', 'closing', 'compensating', 'done')),
    ended text CHECK (ended IN ('completed', 'failed', 'canceled')),
    owner bigint,
    attempt bigint NOT NULL CHECK (attempt >= 0),
    due_at bigint,
    stuck text,
    paused text,
    held_due_at bigint,
    parent text COLLATE "C",
    parent_key text,
    called boolean NOT NULL DEFAULT false,
    event text,
    raw boolean NOT NULL DEFAULT false,
    awaited boolean NOT NULL DEFAULT false,
    touched boolean NOT NULL DEFAULT false,
    inbox bigint NOT NULL DEFAULT 0 CHECK (inbox >= 0),
    strikes bigint NOT NULL DEFAULT 0 CHECK (strikes >= 0),
    strikes_alone bigint NOT NULL DEFAULT 0 CHECK (strikes_alone BETWEEN 0 AND strikes),
    alone boolean NOT NULL DEFAULT false,
    interrupted boolean NOT NULL DEFAULT false,
    waits text,
    created_at bigint NOT NULL,
    started_at bigint,
    ended_at bigint,
    timeout_ms bigint,
    input_hash text NOT NULL,
    input text NOT NULL,
    result text,
    error text,
    CHECK ((ended IS NOT NULL) = (phase = 'done')),
    CHECK ((ended_at IS NOT NULL) = (phase = 'done')),
    CHECK (stuck IS NULL OR phase <> 'done'),
    CHECK (owner IS NULL OR (attempt > 0 AND started_at IS NOT NULL AND stuck IS NULL AND phase <> 'done')),
    CHECK (due_at IS NULL OR (owner IS NULL AND stuck IS NULL AND paused IS NULL AND phase <> 'done')),
    CHECK (paused IS NULL OR phase <> 'done'),
    CHECK (held_due_at IS NULL OR (paused IS NOT NULL AND attempt = 0)),
    CHECK ((parent IS NULL) = (parent_key IS NULL)),
    CHECK (NOT called OR parent IS NOT NULL),
    CHECK (NOT alone OR owner IS NOT NULL)
  ) WITH (fillfactor = 80);
  CREATE UNIQUE INDEX runs_id ON everstep.runs (id);
  CREATE INDEX runs_due ON everstep.runs (workflow, version, priority DESC, due_at, no) WHERE due_at IS NOT NULL;
  CREATE INDEX runs_owned ON everstep.runs (owner) WHERE owner IS NOT NULL;
  -- Lists are in the order in which runs were created, elsewhere before they were imported.
  CREATE INDEX runs_over ON everstep.runs (created_at, no) WHERE ended IS NOT NULL;
  CREATE INDEX runs_live ON everstep.runs (created_at, no) WHERE ended IS NULL;
  CREATE INDEX runs_stuck ON everstep.runs (created_at, no) WHERE stuck IS NOT NULL;
  CREATE INDEX runs_paused ON everstep.runs (created_at, no) WHERE paused IS NOT NULL;
  CREATE INDEX runs_unhappy ON everstep.runs (created_at, no) WHERE ended IN ('failed', 'canceled');
  CREATE INDEX runs_workflow ON everstep.runs (workflow, created_at, no);
  CREATE INDEX runs_parent ON everstep.runs (parent, created_at, no) WHERE parent IS NOT NULL;

  -- Runs that are to be told of the end of another one, under one of their keys.
  CREATE TABLE everstep.waiters (
    run bigint NOT NULL,
    waiter bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    no bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (run, waiter, key)
  );
  CREATE INDEX waiters_waiter ON everstep.waiters (waiter);

  CREATE TABLE everstep.purged (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    workflow text NOT NULL,
    input_hash text NOT NULL,
    at bigint NOT NULL
  );
  CREATE UNIQUE INDEX purged_id ON everstep.purged (id);

  CREATE TABLE everstep.journal (
    run bigint NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    attempt bigint NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    at bigint NOT NULL,
    value text,
    error text,
    PRIMARY KEY (run, seq)
  );

  CREATE TABLE everstep.messages (
    run bigint NOT NULL,
    no bigint NOT NULL CHECK (no > 0),
    type text NOT NULL CHECK (type IN ('signal', 'cancel', 'child', 'operator')),
    id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    payload text NOT NULL,
    at bigint NOT NULL,
    consumed_by bigint,
    PRIMARY KEY (run, no)
  );
  -- The end of one run may be told under several keys.
  CREATE UNIQUE INDEX messages_id ON everstep.messages (run, type, id) WHERE type <> 'child';
  CREATE INDEX messages_new ON everstep.messages (run, no) WHERE consumed_by IS NULL;

  CREATE TABLE everstep.retries (
    run bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    failures bigint NOT NULL CHECK (failures >= 0),
    first_at bigint NOT NULL,
    next_at bigint,
    error text,
    in_doubt boolean NOT NULL,
    PRIMARY KEY (run, key)
  ) WITH (fillfactor = 70);

  CREATE TABLE everstep.tags (
    run bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, name)
  );
  CREATE INDEX tags_value ON everstep.tags (name, value, run);

  CREATE TABLE everstep.workflows (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    event text COLLATE "C",
    priority bigint NOT NULL,
    timeout_ms bigint,
    since bigint NOT NULL
  );
  CREATE UNIQUE INDEX workflows_name ON everstep.workflows (name, version);
  CREATE INDEX workflows_event ON everstep.workflows (event, name) WHERE event IS NOT NULL;

  CREATE TABLE everstep.workflow_pauses (workflow text COLLATE "C" PRIMARY KEY, paused text NOT NULL);

  CREATE TABLE everstep.events (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    place bigint NOT NULL,
    payload_hash text NOT NULL,
    runs text NOT NULL
  );
  CREATE UNIQUE INDEX events_id ON everstep.events (name, id);
  -- Of one batch, in its order.
  CREATE INDEX events_at ON everstep.events (at, place);
  CREATE INDEX events_name ON everstep.events (name, at, place);

  CREATE TABLE everstep.outbox (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL,
    text text NOT NULL,
    taken_until bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 70);

  CREATE TABLE everstep.workers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    live boolean NOT NULL,
    batch bigint NOT NULL DEFAULT 0,
    reply text NOT NULL DEFAULT '{"at":0,"letters":""}',
    beat bigint NOT NULL DEFAULT 0,
    busy boolean NOT NULL DEFAULT false,
    expires_at bigint NOT NULL,
    lease_ms bigint NOT NULL CHECK (lease_ms > 0),
    has_lock boolean NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    workflows text NOT NULL
  ) WITH (fillfactor = 20);
  CREATE INDEX workers_live ON everstep.workers (id) WHERE live;

  -- A row in it breaks a deferred reference, so that a transaction which holds one can't be committed (see transact).
  CREATE TABLE everstep.nothing (id bigint PRIMARY KEY);
  CREATE TABLE everstep.guard (id bigint NOT NULL REFERENCES everstep.nothing DEFERRABLE INITIALLY DEFERRED);
`;
