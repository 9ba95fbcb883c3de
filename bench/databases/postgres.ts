import { postgres } from "@everstep/adapters/postgres";
import { startPostgres } from "@everstep/postgres-server";
import { Client } from "pg";
import pgPackage from "pg/package.json" with { type: "json" };
import type { Database, Host } from "../database.ts";
import { rawPostgres } from "./postgres-raw.ts";
import { seedFinished } from "./postgres-seed.ts";
import { trafficOf } from "./postgres-traffic.ts";

/** Those of the harness that measures engines side by side. Durability is the default: fsync and synchronous_commit are on. */
const SETTINGS = { shared_buffers: "256MB", max_connections: 300 };
/** Less than `max_wal_size`, up to which files are kept. */
const LOG_MB = 700;
const SHOWN = ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers"];

export const postgresServer: Database = {
  begin,
  open: (url) => postgres(url),
  raw: rawPostgres,
  // Nothing grows (see `recycleLog`), but plans and caches are to be warm.
  untilSteady: async (_url, act) => void (await act()),
  seedFinished,
  freeRunsOfDeadWorkers: (url) =>
    asAdmin(url, async (client) => {
      await client.query("UPDATE everstep.workers SET live = false");
      await client.query(
        `UPDATE everstep.runs SET owner = NULL, due_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
           interrupted = true, alone = false WHERE owner IS NOT NULL`,
      );
    }),
  traffic: trafficOf,
};

/** One server, and in it a new database for each measurement. */
async function begin(folder: string): Promise<Host> {
  const server = await startPostgres({ settings: SETTINGS, folder });
  const { url } = server;
  if (server.own !== null) await asAdmin(url, recycleLog);
  let databases = 0;
  return {
    about: await asAdmin(url, about),
    newAddress: async () => {
      databases += 1;
      const name = `everstep_bench_${process.pid}_${databases}`;
      await asAdmin(url, async (client) => {
        await client.query(`CREATE DATABASE ${name}`);
        if (server.own !== null) await client.query("CHECKPOINT");
      });
      return Object.assign(new URL(url), { pathname: `/${name}` }).href;
    },
    discard: (address) => {
      const name = new URL(address).pathname.slice(1);
      return asAdmin(url, async (client) => {
        await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
      });
    },
    stop: () => server.stop(),
  };
}

/**
 * A new server has no files of its write-ahead log to use again: each 16 MB, whoever writes them first makes and fills a file, which
 * took a tenth of the processor time of commits. A server that has been running for a while has them, after its first checkpoints.
 */
async function recycleLog(client: Client): Promise<void> {
  await client.query(
    "SELECT pg_logical_emit_message(false, 'bench', repeat('x', 1000000)) FROM generate_series(1, $1::int)",
    [LOG_MB],
  );
  await client.query("CHECKPOINT");
}

async function about(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    "SELECT name, current_setting(name) AS setting FROM unnest($1::text[]) AS name",
    [["server_version", ...SHOWN]],
  );
  const [version, ...settings] = rows;
  const shown = settings.map(({ name, setting }) => `${name}=${setting}`).join(", ");
  return `pg ${pgPackage.version} (Postgres ${version?.setting ?? "?"}), ${shown}`;
}

async function asAdmin<T>(url: string, act: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(url);
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end();
  }
}
