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

/** By steps through the index, so that no run is read. */
const NAMES = `WITH RECURSIVE names (name) AS (
    SELECT min(workflow) FROM everstep_runs
    UNION ALL SELECT (SELECT min(r.workflow) FROM everstep_runs r WHERE r.workflow > n.name) FROM names n WHERE n.name IS NOT NULL
  ) SELECT name FROM names WHERE name IS NOT NULL ORDER BY name`;

const ENDS = ["canceled", "completed", "failed"] as const;

/** Ranked here: for SQLite to sort a million durations took five times as long. */
const TOOK = `SELECT r.ended_at - r.created_at FROM everstep_runs r INDEXED BY everstep_runs_ended
  WHERE r.workflow = ? AND r.ended = ? AND r.ended_at >= ? AND r.created_at >= ?`;

const WORKERS = `SELECT w.id, w.expires_at AS expiresAt, w.host, w.pid, w.workflows,
    (SELECT count(*) FROM everstep_runs r INDEXED BY everstep_runs_owned WHERE r.owner = w.id) AS runs
  FROM everstep_workers w INDEXED BY everstep_workers_live WHERE w.live = 1 ORDER BY w.id`;

interface WorkerRow extends Pick<WorkerLoad, "id" | "expiresAt" | "host" | "pid" | "runs"> {
  readonly workflows: string;
}

/** Of one value at least, in their order. */
function quantilesOf(ms: Float64Array): Omit<EndedFigures, "workflow" | "status"> {
  const runs = ms.length;
  const at = (percent: number): number => ms[Math.ceil((runs * percent) / 100) - 1] ?? 0;
  return { runs, medianMs: at(50), p95Ms: at(95), maxMs: at(100) };
}

/** What there is, in numbers. Asked for rarely, by people: so nothing is prepared before. */
export class StoreFigures {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  figures({ endedSince, createdSince }: FiguresSpan, now: number): Figures {
    const live = prepare<[number], LiveFigures>(this.#db, LIVE).all(now);
    const took = prepare<[string, string, number, number], number>(this.#db, TOOK).pluck();
    const ended = prepare<[], string>(this.#db, NAMES)
      .pluck()
      .all()
      .flatMap((workflow) =>
        ENDS.flatMap((status) => {
          const ms = Float64Array.from(took.all(workflow, status, endedSince, createdSince)).toSorted();
          return ms.length === 0 ? [] : [{ workflow, status, ...quantilesOf(ms) }];
        }),
      );
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
