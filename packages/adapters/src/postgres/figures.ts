import type { EndedFigures, Figures, FiguresSpan, LiveFigures, WorkerLoad } from "@everstep/core";
import type { Database } from "./database.ts";
import { NOW } from "./sql.ts";

/** `statusOf` of core, of runs that have not ended. */
const LIVE_STATUS = `CASE WHEN r.stuck IS NOT NULL THEN 'stuck' WHEN r.phase <> 'forward' THEN 'compensating'
  WHEN r.owner IS NOT NULL THEN 'running' WHEN r.due_at <= c.now THEN 'ready' ELSE 'waiting' END`;

/** No index knows when runs ended: those that were created since are looked through. */
const FIGURES = `WITH c AS MATERIALIZED (SELECT ${NOW} AS now),
  live AS (
    SELECT r.workflow, r.version, ${LIVE_STATUS} AS status, count(*) AS runs, count(r.paused) AS paused,
      min(r.due_at) AS "firstDueAt", min(r.created_at) AS "oldestAt"
    FROM c, everstep.runs r WHERE r.ended IS NULL GROUP BY 1, 2, 3
  ),
  took AS (
    SELECT r.workflow, r.ended AS status, r.ended_at - r.created_at AS ms FROM everstep.runs r
    WHERE r.ended IS NOT NULL AND r.created_at >= $2::bigint AND r.ended_at >= $1::bigint
  ),
  ended AS (
    SELECT t.workflow, t.status, count(*) AS runs, percentile_disc(0.5) WITHIN GROUP (ORDER BY t.ms) AS "medianMs",
      percentile_disc(0.95) WITHIN GROUP (ORDER BY t.ms) AS "p95Ms", max(t.ms) AS "maxMs"
    FROM took t GROUP BY 1, 2
  )
  SELECT json_build_object('now', (SELECT now FROM c),
    'live', (SELECT coalesce(json_agg(l ORDER BY l.workflow, l.version, l.status COLLATE "C"), '[]') FROM live l),
    'ended', (SELECT coalesce(json_agg(e ORDER BY e.workflow, e.status COLLATE "C"), '[]') FROM ended e))::text AS answer`;

const WORKERS = `SELECT json_build_object('id', w.id, 'live', true, 'expiresAt', w.expires_at, 'host', w.host, 'pid', w.pid,
    'workflows', w.workflows::json, 'runs', (SELECT count(*) FROM everstep.runs r WHERE r.owner = w.id))::text AS answer
  FROM everstep.workers w WHERE w.live ORDER BY w.id`;

interface Row {
  readonly answer: string;
}

export async function figuresOf(
  database: Database,
  { endedSince, createdSince }: FiguresSpan,
): Promise<Figures> {
  const [row] = await database.query<Row>(FIGURES, [Math.ceil(endedSince), Math.ceil(createdSince)]);
  return JSON.parse(row?.answer ?? "") as {
    readonly now: number;
    readonly live: readonly LiveFigures[];
    readonly ended: readonly EndedFigures[];
  };
}

export async function workersOf(database: Database): Promise<readonly WorkerLoad[]> {
  const rows = await database.query<Row>(WORKERS, []);
  return rows.map(({ answer }) => JSON.parse(answer) as WorkerLoad);
}
