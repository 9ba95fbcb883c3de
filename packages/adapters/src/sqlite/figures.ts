import type { Database } from "better-sqlite3";
import type {
  EndedFigures,
  Figures,
  FiguresSpan,
  LiveFigures,
  WorkerLoad,
  WorkflowRef,
} from "@everstep/core";
import { prepare } from "./statement.ts";

/** `statusOf` of core, of runs that have not ended. A parameter stands for the store's now. */
const LIVE_STATUS = `CASE WHEN r.stuck IS NOT NULL THEN 'stuck' WHEN r.phase <> 'forward' THEN 'compensating'
  WHEN r.owner IS NOT NULL THEN 'running' WHEN r.due_at <= ? THEN 'ready' ELSE 'waiting' END`;

const LIVE = `SELECT r.workflow, r.version, ${LIVE_STATUS} AS status, count(*) AS runs, count(r.paused) AS paused,
    min(r.due_at) AS firstDueAt, min(r.created_at) AS oldestAt
  FROM everstep_runs r INDEXED BY everstep_runs_live WHERE r.ended IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;

/** The workflows by steps through the index, so that no ended run is read but those that are counted. */
const ENDED = `WITH RECURSIVE names (name) AS (
    SELECT min(workflow) FROM everstep_runs
    UNION ALL SELECT (SELECT min(r.workflow) FROM everstep_runs r WHERE r.workflow > n.name) FROM names n WHERE n.name IS NOT NULL
  ), ends (status) AS (VALUES ('completed'), ('failed'), ('canceled')),
  took (workflow, status, ms, place, runs) AS MATERIALIZED (
    SELECT r.workflow, r.ended, r.ended_at - r.created_at,
      row_number() OVER (PARTITION BY r.workflow, r.ended ORDER BY r.ended_at - r.created_at),
      count(*) OVER (PARTITION BY r.workflow, r.ended)
    FROM names n CROSS JOIN ends e CROSS JOIN everstep_runs r INDEXED BY everstep_runs_ended
      ON r.workflow = n.name AND r.ended = e.status AND r.ended_at >= ? AND r.created_at >= ?
  )
  SELECT workflow, status, max(runs) AS runs, min(iif(place * 100 >= runs * 50, ms, NULL)) AS medianMs,
    min(iif(place * 100 >= runs * 95, ms, NULL)) AS p95Ms, max(ms) AS maxMs
  FROM took GROUP BY workflow, status ORDER BY workflow, status`;

const WORKERS = `SELECT w.id, w.expires_at AS expiresAt, w.host, w.pid, w.workflows,
    (SELECT count(*) FROM everstep_runs r INDEXED BY everstep_runs_owned WHERE r.owner = w.id) AS runs
  FROM everstep_workers w INDEXED BY everstep_workers_live WHERE w.live = 1 ORDER BY w.id`;

interface WorkerRow extends Pick<WorkerLoad, "id" | "expiresAt" | "host" | "pid" | "runs"> {
  readonly workflows: string;
}

/** What there is, in numbers. Asked for rarely, by people: so nothing is prepared before. */
export class StoreFigures {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  figures({ endedSince, createdSince }: FiguresSpan, now: number): Figures {
    const live = prepare<[number], LiveFigures>(this.#db, LIVE).all(now);
    const ended = prepare<[number, number], EndedFigures>(this.#db, ENDED).all(endedSince, createdSince);
    return { now, live, ended };
  }

  workers(): readonly WorkerLoad[] {
    const rows = prepare<[], WorkerRow>(this.#db, WORKERS).all();
    return rows.map(({ workflows, ...row }) => ({
      ...row,
      live: true,
      workflows: JSON.parse(workflows) as readonly WorkflowRef[],
    }));
  }
}
