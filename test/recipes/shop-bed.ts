/** An empty database with the tables that the recipes of the ORMs write to, for one test. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgres } from "@everstep/adapters/postgres";
import { sqlite } from "@everstep/adapters/sqlite";
import type { Store, Workflow } from "@everstep/core";
import SqliteDatabase from "better-sqlite3";
import { Client } from "pg";
import { inject, onTestFinished } from "vitest";

export interface Wish {
  readonly orderId: string;
  readonly sku: string;
}

/** What each of the recipes exports. */
export interface OrmRecipe {
  readonly order: Workflow<Wish, number>;
  readonly openShop: (where: string) => { place(wish: Wish): unknown; close(): Promise<void> };
}

export type Engine = "sqlite" | "postgres";

export interface Bed {
  /** The file or the URL. */
  readonly where: string;
  /** A store of its own on the database. */
  open(): Store;
  readonly rows: (sql: string) => Promise<readonly unknown[]>;
  readonly execute: (sql: string) => Promise<void>;
}

const TABLES = `
  CREATE TABLE carts (id text PRIMARY KEY);
  CREATE TABLE orders (id text PRIMARY KEY, sku text NOT NULL);
  CREATE TABLE stock (sku text PRIMARY KEY, "left" integer NOT NULL);
  INSERT INTO stock VALUES ('lamp', 2);`;

export async function shopBed(engine: Engine): Promise<Bed> {
  const bed = engine === "sqlite" ? sqliteBed() : await postgresBed();
  await bed.execute(TABLES);
  return bed;
}

function sqliteBed(): Bed {
  const folder = mkdtempSync(join(tmpdir(), "everstep-recipes-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const where = join(folder, "shop.db");
  const db = new SqliteDatabase(where);
  onTestFinished(() => void db.close());
  return {
    where,
    open: () => closedAfterTest(sqlite(where)),
    rows: async (sql) => db.prepare(sql).all(),
    execute: async (sql) => void db.exec(sql),
  };
}

async function postgresBed(): Promise<Bed> {
  const name = `recipe_${randomUUID().replaceAll("-", "")}`;
  const server = inject("databaseUrl");
  await queryOf(server, `CREATE DATABASE ${name}`);
  onTestFinished(async () => void (await queryOf(server, `DROP DATABASE ${name} WITH (FORCE)`)));
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    where: url.href,
    open: () => closedAfterTest(postgres(url.href)),
    rows: (sql) => queryOf(url.href, sql),
    execute: async (sql) => void (await queryOf(url.href, sql)),
  };
}

function closedAfterTest(store: Store): Store {
  onTestFinished(() => store.close());
  return store;
}

async function queryOf(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
