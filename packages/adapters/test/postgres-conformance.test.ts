import { randomUUID } from "node:crypto";
import { type OpenStore, type OpenTx, storeConformance } from "@everstep/core/testing";
import pg from "pg";
import { describe, inject, test } from "vitest";
import { postgres, type PostgresOptions } from "../src/postgres/index.ts";

const url = inject("databaseUrl");

interface Configuration extends PostgresOptions {
  /** The application's own pool, of so many connections. */
  readonly poolMax?: number;
}

const CONFIGURATIONS: Readonly<Record<string, Configuration>> = {
  "a Postgres store": {},
  "a Postgres store behind a transaction pooler": { transactionPooler: true },
  "a Postgres store on a pool of one": { poolMax: 1 },
  "a Postgres store on a pool of two": { poolMax: 2 },
};

function opener({ poolMax, ...options }: Configuration): () => OpenStore {
  return () => {
    const schema = `conformance ${randomUUID()}`;
    const pools: pg.Pool[] = [];
    const openOne = (): ReturnType<typeof postgres> => {
      if (poolMax === undefined) return postgres(url, { schema, ...options });
      const pool = new pg.Pool({ connectionString: url, max: poolMax });
      pools.push(pool);
      return postgres(pool, { schema, ...options });
    };
    const store = openOne();
    return {
      store,
      second: openOne,
      beginTx,
      close: async () => {
        await store.close();
        await Promise.all(pools.map((pool) => pool.end()));
        await drop(schema);
      },
    };
  };
}

async function beginTx(): Promise<OpenTx> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query("BEGIN");
  const end = async (how: string): Promise<void> => {
    await client.query(how);
    await client.end();
  };
  return { tx: client, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
}

async function drop(schema: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS ${client.escapeIdentifier(schema)} CASCADE`);
  await client.end();
}

for (const [name, configuration] of Object.entries(CONFIGURATIONS)) {
  describe.concurrent(`${name} conforms`, () => {
    const hints = configuration.transactionPooler !== true;
    for (const conformance of storeConformance({ name, open: opener(configuration), hints })) {
      test(`${conformance.topic}: ${conformance.name}`, { timeout: 60_000 }, async ({ skip }) => {
        const verdict = await conformance.run();
        if (verdict !== undefined) skip(verdict.skipped);
      });
    }
  });
}
