import { Client } from "pg";
import type { Traffic } from "../database.ts";

/** Counts at both ends: what the connections of this process are asked to send, and what the server says it ran. */
export async function trafficOf(url: string): Promise<Traffic> {
  const queries = countQueries();
  const name = new URL(url).pathname.slice(1);
  // From another database, so that watching is not counted there.
  const watcher = new Client(Object.assign(new URL(url), { pathname: "/postgres" }).href);
  await watcher.connect();
  let watched = 0;
  return {
    queries: () => queries() - watched,
    transactions: async () => {
      watched += 1;
      const { rows } = await watcher.query<{ count: number }>(
        "SELECT (xact_commit + xact_rollback)::int AS count FROM pg_stat_database WHERE datname = $1",
        [name],
      );
      return rows[0]?.count ?? Number.NaN;
    },
    close: () => watcher.end(),
  };
}

function countQueries(): () => number {
  let count = 0;
  const { prototype } = Client as unknown as { prototype: { query: (...args: unknown[]) => unknown } };
  const { query } = prototype;
  prototype.query = function counting(this: unknown, ...args: unknown[]): unknown {
    count += 1;
    return query.apply(this, args);
  };
  return () => count;
}
