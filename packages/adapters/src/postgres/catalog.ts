import type { EventRecord, OutboxRow, WorkflowRecord } from "@everstep/core";
import type { Database } from "./database.ts";
import { NOW } from "./sql.ts";

/** Of versions that are live the one that was told of last, or else of all. */
const WORKFLOWS = `WITH live AS MATERIALIZED (
    SELECT f.name, f.version, count(*) AS workers FROM everstep.workers w
    CROSS JOIN LATERAL (SELECT DISTINCT f.name, f.version FROM json_to_recordset(w.workflows::json) AS f (name text, version text)) f
    WHERE w.live AND w.expires_at > ${NOW} GROUP BY f.name, f.version
  )
  SELECT json_build_object('name', w.name, 'version', w.version, 'on', w.event, 'priority', w.priority, 'timeoutMs', w.timeout_ms,
    'since', w.since, 'liveWorkers', coalesce(l.workers, 0), 'paused', (
      SELECT p.paused::json FROM everstep.workflow_pauses p WHERE p.workflow = w.name),
    'current', row_number() OVER (PARTITION BY w.name ORDER BY l.workers IS NOT NULL DESC, w.no DESC) = 1)::text AS answer
  FROM everstep.workflows w LEFT JOIN live l ON l.name = w.name AND l.version = w.version ORDER BY w.name, w.no`;

/** What the store was told of workflows, which events were emitted, and what is to be told to the world outside. */
export class Catalog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async workflows(): Promise<readonly WorkflowRecord[]> {
    const rows = await this.#database.query<{ readonly answer: string }>(WORKFLOWS, []);
    return rows.map(({ answer }) => JSON.parse(answer) as WorkflowRecord);
  }

  async events({
    name,
    limit,
  }: {
    readonly name?: string;
    readonly limit: number;
  }): Promise<readonly EventRecord[]> {
    const rows = await this.#database.query<{ readonly answer: string }>(
      `SELECT json_build_object('name', e.name, 'id', e.id, 'at', e.at, 'runs', json_array_length(e.runs::json))::text AS answer
       FROM everstep.events e ${name === undefined ? "" : "WHERE e.name = $2"} ORDER BY e.at DESC, e.place DESC LIMIT $1`,
      name === undefined ? [limit] : [limit, name],
    );
    return rows.map(({ answer }) => JSON.parse(answer) as EventRecord);
  }

  async takeOutbox({
    limit,
    forMs,
  }: {
    readonly limit: number;
    readonly forMs: number;
  }): Promise<readonly OutboxRow[]> {
    const rows = await this.#database.ask("take_outbox", [limit, Math.ceil(forMs)]);
    return rows.map((row) => JSON.parse(row) as OutboxRow);
  }
}
