/** Where the day's shop keeps its tables and journals, and how many processes of its service share them. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { startPostgres } from "@everstep/postgres-server";
import { Client } from "pg";

export interface Premises {
  /** Of the service, and of whoever looks at its books. */
  readonly env: Readonly<Record<string, string>>;
  /** As the command `everstep` is told it. */
  readonly address: string;
  readonly processes: number;
  /** `keep`: for somebody who wants to look at it afterwards. Answers where it is. */
  leave(options: { readonly keep: boolean }): Promise<string | undefined>;
}

/** A file in `folder`, and one process. */
export function sqlitePremises(folder: string): Premises {
  const path = join(folder, "shop.db");
  return { env: { STORE: "sqlite", SHOP_DB: path }, address: path, processes: 1, leave: async () => path };
}

/** A new database of the server at DATABASE_URL, else of one that is started for the day and gone after it; and four processes. */
export async function postgresPremises(): Promise<Premises> {
  const server = await startPostgres();
  const name = `everstep_demo_${randomUUID().replaceAll("-", "")}`;
  try {
    await execute(server.url, `CREATE DATABASE ${name}`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return {
    env: { STORE: url.href },
    address: url.href,
    processes: 4,
    leave: async ({ keep }) => {
      const outlivesUs = server.own === null;
      if (outlivesUs && !keep) await execute(server.url, `DROP DATABASE ${name} WITH (FORCE)`);
      await server.stop();
      return outlivesUs && keep ? url.href : undefined;
    },
  };
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
