import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Client } from "pg";
import { inject, onTestFinished } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

export const ENGINES = ["SQLite", "Postgres"] as const;

export type Engine = (typeof ENGINES)[number];

/** The variables that name a new database to the shop, for one test. */
export async function emptyDatabase(engine: Engine): Promise<Readonly<Record<string, string>>> {
  if (engine === "SQLite") return { STORE: "sqlite", SHOP_DB: join(temporaryFolder(), "shop.db") };
  return { STORE: await emptyPostgresDatabase() };
}

/** Answers the URL of a new Postgres database, for one test. */
export async function emptyPostgresDatabase(): Promise<string> {
  const name = `shop_${randomUUID().replaceAll("-", "")}`;
  await execute(`CREATE DATABASE ${name}`);
  onTestFinished(() => execute(`DROP DATABASE ${name} WITH (FORCE)`));
  const url = new URL(inject("databaseUrl"));
  url.pathname = `/${name}`;
  return url.href;
}

async function execute(statement: string): Promise<void> {
  const client = new Client({ connectionString: inject("databaseUrl") });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
