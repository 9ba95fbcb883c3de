/** P1 (S11, S12, S13), P4 (S1), P5 (S3, S4, S5), P7 (S6, S7): every case over the Postgres store, as it can be set up, each named by the invariants and failures that it defends. */
import { randomUUID } from "node:crypto";
import { type OpenStore, type OpenTx, storeConformance } from "@everstep/core/testing";
import { Client, escapeIdentifier, Pool } from "pg";
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import { grantsSql, postgres, type PostgresOptions, schemaSql } from "../src/postgres/index.ts";
import { type PgBouncer, pgBouncerPath, startPgBouncer } from "./postgres/pgbouncer.ts";

const ownerUrl = inject("databaseUrl");

interface Configuration extends PostgresOptions {
  /** The application's own pool, of so many connections. */
  readonly poolMax?: number;
  /** The schema is another role's, and this one has the rights to work with it only. */
  readonly isGranted?: true;
  /** Through a real PgBouncer in transaction mode. */
  readonly isPooled?: true;
}

const CONFIGURATIONS: Readonly<Record<string, Configuration>> = {
  "a Postgres store": {},
  "a Postgres store that polls": { transactionPooler: true },
  "a Postgres store behind PgBouncer": { transactionPooler: true, isPooled: true },
  "a Postgres store on a pool of one": { poolMax: 1 },
  "a Postgres store on a pool of two": { poolMax: 2 },
  "a Postgres store of a role that may only work (S13)": { isGranted: true, migrate: false },
};

/** Where the stores of a configuration connect, and what is undone at its end. */
class Access {
  readonly #configuration: Configuration;
  /** Schemas that a case has left, emptied: making one takes longer than most cases. */
  readonly #left: string[] = [];
  #made = 0;
  #bouncer: PgBouncer | undefined;
  #role: string | undefined;

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  get url(): string {
    const url = new URL(this.#bouncer?.url ?? ownerUrl);
    if (this.#role === undefined) return url.href;
    url.username = this.#role;
    url.password = "conformance";
    return url.href;
  }

  async begin(): Promise<void> {
    const { isPooled, isGranted } = this.#configuration;
    if (isPooled) this.#bouncer = await startPgBouncer(ownerUrl, { mode: "transaction", poolSize: 20 });
    if (!isGranted) return;
    this.#role = `conformance_${randomUUID().replaceAll("-", "")}`;
    await asOwner(`CREATE ROLE ${this.#role} LOGIN PASSWORD 'conformance'`);
  }

  /** An empty schema; the first time without tables, where the stores may make them themselves. */
  async take(): Promise<string> {
    const schema = this.#left.pop();
    if (schema !== undefined) return schema;
    const fresh = `conformance ${randomUUID()}`;
    this.#made += 1;
    if (this.#role !== undefined)
      await asOwner(schemaSql({ schema: fresh }) + grantsSql(this.#role, { schema: fresh }));
    return fresh;
  }

  async leave(schema: string): Promise<void> {
    const tables =
      "runs journal messages retries tags waiters purged workers guard workflows workflow_pauses events outbox".split(
        " ",
      );
    await asOwner(tables.map((table) => `DELETE FROM ${escapeIdentifier(schema)}.${table};`).join(""));
    this.#left.push(schema);
  }

  async end(): Promise<void> {
    await this.#bouncer?.stop();
    for (const schema of this.#left) await asOwner(`DROP SCHEMA ${escapeIdentifier(schema)} CASCADE`);
    if (this.#role !== undefined) await asOwner(`DROP ROLE ${this.#role}`);
    if (this.#left.length !== this.#made) throw new Error("a case did not leave its schema");
  }

  async beginTx(): Promise<OpenTx> {
    const client = new Client(this.url);
    await client.connect();
    await client.query("BEGIN");
    const end = async (how: string): Promise<void> => {
      await client.query(how);
      await client.end();
    };
    return { tx: client, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
  }
}

async function open(access: Access, configuration: Configuration): Promise<OpenStore> {
  const { poolMax, isGranted: _, isPooled: __, ...options } = configuration;
  const schema = await access.take();
  const pools: Pool[] = [];
  const openOne = (): ReturnType<typeof postgres> => {
    if (poolMax === undefined) return postgres(access.url, { schema, ...options });
    const pool = new Pool({ connectionString: access.url, max: poolMax });
    pools.push(pool);
    return postgres(pool, { schema, ...options });
  };
  const store = openOne();
  // Also a case that never calls it leaves tables behind.
  await store.count({});
  return {
    store,
    second: openOne,
    beginTx: () => access.beginTx(),
    close: async () => {
      await store.close();
      await Promise.all(pools.map((pool) => pool.end()));
      await access.leave(schema);
    },
  };
}

async function asOwner(sql: string): Promise<void> {
  const client = new Client(ownerUrl);
  await client.connect();
  await client.query(sql);
  await client.end();
}

for (const [name, configuration] of Object.entries(CONFIGURATIONS)) {
  const isMissing = configuration.isPooled === true && pgBouncerPath === undefined;
  const why = isMissing ? " (skipped: there is no pgbouncer here)" : "";
  describe.skipIf(isMissing).concurrent(`${name} conforms${why}`, () => {
    const access = new Access(configuration);
    beforeAll(() => access.begin());
    afterAll(() => access.end());
    const hints = configuration.transactionPooler !== true;
    for (const conformance of storeConformance({ name, open: () => open(access, configuration), hints })) {
      test(`${conformance.topic}: ${conformance.name}`, async ({ skip }) => {
        const verdict = await conformance.run();
        if (verdict !== undefined) skip(verdict.skipped);
      });
    }
  });
}
