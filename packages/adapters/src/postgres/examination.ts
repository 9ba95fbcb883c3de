import type { Finding } from "@everstep/core";
import type { Database } from "./database.ts";
import { VERSION } from "./migrations.ts";

const CONNECTIONS_MAX = 0.9;
const TRANSACTION_MAX_MS = 15 * 60_000;
const DEAD_MIN = 100_000;
const OUTBOX_MAX = 10_000;

interface Row {
  readonly fsync: string;
  readonly pages: string;
  readonly server: string;
  readonly used: number;
  readonly max: number;
  readonly oldestMs: number;
  readonly oldestPid: number | null;
  readonly oldestState: string | null;
  /** Sessions of other roles, of which this one sees no transactions. */
  readonly hidden: number;
  readonly bytes: number;
  readonly live: number;
  readonly dead: number;
  readonly outbox: number;
}

/**
 * Settings, sessions and the statistics that the server keeps anyway: no table is read but the head of the outbox. Only a transaction that
 * wrote, or that keeps a snapshot, is in the way of vacuum; autovacuum's own is not, and must not be ended. All roles may see how many
 * sessions there are by `pg_stat_database` only.
 */
const LOOK = `SELECT json_build_object('fsync', current_setting('fsync'), 'pages', current_setting('full_page_writes'),
    'server', current_setting('server_version'),
    'used', (SELECT sum(d.numbackends) FROM pg_stat_database d),
    'max', current_setting('max_connections')::int, 'oldestMs', coalesce(o.ms, 0), 'oldestPid', o.pid, 'oldestState', o.state,
    'hidden', (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type IS NULL),
    'bytes', s.bytes, 'live', s.live, 'dead', s.dead,
    'outbox', (SELECT count(*) FROM (SELECT 1 FROM everstep.outbox LIMIT ${OUTBOX_MAX}) b))::text AS answer
  FROM (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0) AS bytes, coalesce(sum(t.n_live_tup), 0) AS live,
      coalesce(sum(t.n_dead_tup), 0) AS dead FROM pg_stat_user_tables t WHERE t.schemaname = $1) s
  LEFT JOIN LATERAL (SELECT a.pid, a.state, floor(extract(epoch FROM clock_timestamp() - a.xact_start) * 1000) AS ms
    FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type <> 'autovacuum worker'
      AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
    ORDER BY a.xact_start LIMIT 1) o ON true`;

/** What can be seen of the server, with the rights that this role has. */
export async function examine(database: Database): Promise<readonly Finding[]> {
  const [row] = await database.query<{ readonly answer: string }>(LOOK, [unquoted(database.schema)]);
  const seen = JSON.parse(row?.answer ?? "") as Row;
  return [
    fine("schema", `version ${VERSION}, which is this build's, on Postgres ${seen.server}`),
    durability(seen),
    connections(seen),
    pooler(database),
    transactions(seen),
    bloat(seen),
    outbox(seen),
  ];
}

function unquoted(schema: string): string {
  return schema.slice(1, -1).replaceAll('""', '"');
}

function durability({ fsync, pages }: Row): Finding {
  const found = `fsync=${fsync}, full_page_writes=${pages}; everstep commits with synchronous_commit=on`;
  if (fsync !== "off" && pages !== "off") return fine("durability", found);
  return {
    check: "durability",
    is: "problem",
    found: `${found}: a power cut can lose or damage what was told to be durable`,
    remedy: "switch both on in postgresql.conf, and reload it",
  };
}

function connections({ used, max }: Row): Finding {
  const found = `${used} of ${max} connections are in use`;
  if (used < max * CONNECTIONS_MAX) return fine("connections", found);
  return {
    check: "connections",
    is: "warning",
    found,
    remedy: "give the pools of the workers fewer connections each, or the server more (max_connections)",
  };
}

function pooler({ hasSessions }: Database): Finding {
  if (hasSessions) return fine("pooler", "connected directly: hints and heartbeats work");
  return {
    check: "pooler",
    is: "warning",
    found: "reached through a pooler: there are no hints, and a dead worker is noticed by its lease only",
    remedy: "let workers connect directly, or to a pooler that keeps sessions (?pooler=session)",
  };
}

function transactions({ oldestMs, oldestPid, oldestState, hidden }: Row): Finding {
  const seen =
    hidden === 0 ? "" : `, as far as this role sees: pg_read_all_stats would show it ${hidden} more`;
  if (oldestMs < TRANSACTION_MAX_MS)
    return fine(
      "transactions",
      oldestPid === null
        ? `none is in the way of vacuum${seen}`
        : `the oldest one in the way of vacuum is ${Math.round(oldestMs / 1000)} s old${seen}`,
    );
  return {
    check: "transactions",
    is: "warning",
    found: `process ${oldestPid} keeps a transaction open for ${Math.round(oldestMs / 60_000)} min (${oldestState ?? "state unknown"}): nothing is vacuumed meanwhile`,
    remedy: `find out what it does in pg_stat_activity; SELECT pg_terminate_backend(${oldestPid}) ends it`,
  };
}

function bloat({ bytes, live, dead }: Row): Finding {
  const found = `the tables have ${Math.round(bytes / 1024 / 1024)} MiB, ${live} rows and ${dead} dead ones`;
  if (dead < DEAD_MIN || dead < live) return fine("size", found);
  return {
    check: "size",
    is: "warning",
    found,
    remedy:
      "see why autovacuum does not keep up (long transactions, its settings); VACUUM the schema's tables",
  };
}

function outbox({ outbox: rows }: Row): Finding {
  if (rows < OUTBOX_MAX) return fine("outbox", `${rows} events to be shipped`);
  return {
    check: "outbox",
    is: "warning",
    found: `${rows} events or more were not shipped`,
    remedy: "give a live worker the option `outbox`, and look at what its `ship` throws",
  };
}

function fine(check: string, found: string): Finding {
  return { check, is: "fine", found, remedy: null };
}
