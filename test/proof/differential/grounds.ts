/** The stores that are compared. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgres } from "@everstep/adapters/postgres";
import { sqlite } from "@everstep/adapters/sqlite";
import type { Store } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import { Client } from "pg";
import type { Ground } from "./real-run.ts";

export function memoryGround(): Ground {
  const store = memoryStore();
  return {
    name: "memory",
    open: async () => store.reopen(),
    close: () => store.close(),
  };
}

export async function sqliteGround(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), "everstep-differential-"));
  return {
    name: "SQLite",
    open: async (): Promise<Store> => sqlite(join(folder, "runs.db")),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

let schemas = 0;

export async function postgresGround(url: string): Promise<Ground> {
  schemas += 1;
  const schema = `differential_${process.pid}_${schemas}`;
  return {
    name: "Postgres",
    open: async (): Promise<Store> => postgres(url, { schema }),
    close: async () => {
      const client = new Client(url);
      await client.connect();
      await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await client.end();
    },
  };
}
