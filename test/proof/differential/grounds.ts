/** The stores that are compared. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgres } from "@everstep/adapters/postgres";
import { sqlite } from "@everstep/adapters/sqlite";
import type { Store } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import Database, { type Database as Connection } from "better-sqlite3";
import { Client, type ClientBase } from "pg";
import { memoryTable, type Table } from "../programs/table.ts";
import type { Ground } from "./real-run.ts";

export function memoryGround(): Ground {
  const store = memoryStore();
  return {
    name: "memory",
    table: memoryTable(store),
    open: async () => store.reopen(),
    close: () => store.close(),
  };
}

export async function sqliteGround(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), "everstep-differential-"));
  const file = join(folder, "runs.db");
  const reader = new Database(file);
  reader.exec("CREATE TABLE rows (token TEXT NOT NULL)");
  return {
    name: "SQLite",
    table: {
      takes: "at once",
      insert: (tx, token) => (tx as Connection).prepare("INSERT INTO rows VALUES (?)").run(token),
      tokens: async () => reader.prepare<[], string>("SELECT token FROM rows").pluck().all(),
    },
    open: async (): Promise<Store> => sqlite(file),
    close: async () => {
      reader.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let schemas = 0;

export async function postgresGround(url: string): Promise<Ground> {
  schemas += 1;
  const schema = `differential_${process.pid}_${schemas}`;
  const client = new Client(url);
  await client.connect();
  const rows = `public.${schema}_rows`;
  await client.query(`CREATE TABLE ${rows} (token text NOT NULL)`);
  return {
    name: "Postgres",
    table: postgresTable(client, rows),
    open: async (): Promise<Store> => postgres(url, { schema }),
    close: async () => {
      await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP TABLE ${rows}`);
      await client.end();
    },
  };
}

function postgresTable(client: Client, rows: string): Table {
  return {
    takes: "later",
    insert: (tx, token) => (tx as ClientBase).query(`INSERT INTO ${rows} VALUES ($1)`, [token]),
    tokens: async () => {
      const found = await client.query<{ readonly token: string }>(`SELECT token FROM ${rows}`);
      return found.rows.map(({ token }) => token);
    },
  };
}
