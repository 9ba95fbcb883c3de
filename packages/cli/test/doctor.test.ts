/** What `doctor` finds where something is in the way: provoked, seen with its remedy, and gone once the remedy is done. */
import { randomUUID } from "node:crypto";
import { postgres } from "@everstep/adapters/postgres";
import { Client, Worker, workflow } from "@everstep/core";
import { Client as Connection } from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { Onlooker } from "./support/onlooker.ts";
import { KINDS } from "./support/operator.ts";

interface Finding {
  readonly check: string;
  readonly is: string;
  readonly found: string;
  readonly remedy: string | null;
}

async function found(onlooker: Onlooker, check: string, store?: string): Promise<Finding> {
  const { out } = await onlooker.look([
    "doctor",
    "--json",
    ...(store === undefined ? [] : ["--store", store]),
  ]);
  const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
  const [finding] = findings.filter((one) => one.check === check);
  if (finding === undefined) throw new Error(`doctor says nothing about ${check}`);
  return finding;
}

describe.each(KINDS)("on %s", (kind) => {
  test("lag: a worker that is full leaves runs waiting for longer than a minute", async () => {
    const onlooker = new Onlooker(kind, { now: Date.now() });
    const { promise: free, resolve } = Promise.withResolvers<void>();
    const order = workflow({ name: "order" }, (ctx) => ctx.step("charge", () => free));
    const worker = new Worker({ store: onlooker.store, workflows: [order], concurrency: 1 });
    onTestFinished(async () => void (await worker.stop({ grace: 0 })));
    await worker.start();
    await onlooker.client.start(order, undefined, { id: "first" });
    await onlooker.until("first", "running");
    expect(await found(onlooker, "lag")).toMatchObject({ is: "fine", remedy: null });

    const at = new Date(Date.now() - 120_000);
    await onlooker.client.start(order, undefined, { id: "second", at });
    expect(await found(onlooker, "lag")).toEqual({
      check: "lag",
      is: "warning",
      found: expect.stringMatching(/^1 run of order@1 ready, the first for 2m( \ds)?$/) as string,
      remedy: expect.stringContaining("raise their `concurrency`") as string,
    });
    const { code, out } = await onlooker.look(["doctor"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^warn lag +1 run .*\n +→ its workers are full/m)]);
    expect((await onlooker.look(["doctor", "--strict"])).code).toBe(1);

    await onlooker.client.runs.pause("second");
    expect(await found(onlooker, "lag")).toMatchObject({ is: "fine" });
    await onlooker.client.runs.resume("second");
    resolve();
    await onlooker.until("second", "completed");
    expect(await found(onlooker, "lag")).toMatchObject({ is: "fine" });
  });
});

/** A database of its own, for what is seen of a whole one, and a session of its superuser. */
async function database(): Promise<{ readonly url: string; readonly session: () => Promise<Connection> }> {
  const name = `doctor_${randomUUID().replaceAll("-", "")}`;
  const connect = async (url: string): Promise<Connection> => {
    const connection = new Connection(url);
    // It may be ended from outside: that is the remedy.
    connection.on("error", () => {});
    await connection.connect();
    return connection;
  };
  const server = await connect(inject("databaseUrl"));
  await server.query(`CREATE DATABASE ${name}`);
  onTestFinished(async () => {
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await server.end();
  });
  const url = new URL(inject("databaseUrl"));
  url.pathname = name;
  return { url: url.href, session: () => connect(url.href) };
}

const DEAD = 120_000;
/** What doctor is shown where its session looks here first: the reader's transaction is sixteen minutes older than it is. */
const AGED = `CREATE SCHEMA aged;
  CREATE VIEW aged.pg_stat_activity AS SELECT a.pid, a.datname, a.state, a.backend_type, a.backend_xid, a.backend_xmin,
    CASE a.application_name WHEN 'reader' THEN a.xact_start - interval '16 min' ELSE a.xact_start END AS xact_start
  FROM pg_catalog.pg_stat_activity a`;

describe("on postgres", () => {
  test("size and transactions: a session that keeps a snapshot keeps dead rows", async () => {
    const { url, session } = await database();
    const onlooker = new Onlooker("postgres", { now: Date.now(), server: url });
    await onlooker.client.runs.list();
    const [tables] = /(?<=schema=)\w+/.exec(onlooker.url) ?? [];
    const [reader, writer, cleaner] = [await session(), await session(), await session()];
    await cleaner.query(AGED);
    const aged = `${onlooker.url}&options=${encodeURIComponent("-c search_path=aged,pg_catalog")}`;
    expect(await found(onlooker, "size")).toMatchObject({ is: "fine" });

    await reader.query("SET application_name = 'reader'");
    await reader.query("BEGIN");
    await reader.query("SELECT");
    // It keeps no snapshot: vacuum does its work.
    expect(await found(onlooker, "transactions", aged)).toMatchObject({ is: "fine" });
    await reader.query("ROLLBACK");
    await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const { rows } = await reader.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await writer.query(
      `INSERT INTO ${tables}.outbox (id, text) SELECT 'event', '{}' FROM generate_series(1, ${DEAD})`,
    );
    await writer.query(`DELETE FROM ${tables}.outbox`);
    // Which tells the server what it did.
    await writer.end();

    expect(await found(onlooker, "transactions")).toMatchObject({ is: "fine" });
    const open = await found(onlooker, "transactions", aged);
    expect(open).toMatchObject({
      is: "warning",
      found: `process ${rows[0]?.pid} keeps a transaction open for 16 min (idle in transaction): nothing is vacuumed meanwhile`,
    });
    const bloated = {
      is: "warning",
      found: expect.stringContaining(`${DEAD} dead ones`) as string,
      remedy: expect.stringContaining("VACUUM the schema's tables") as string,
    };
    await expect.poll(() => found(onlooker, "size")).toMatchObject(bloated);
    await cleaner.query(`VACUUM ${tables}.outbox`);
    expect(await found(onlooker, "size")).toMatchObject(bloated);

    const [end = ""] = /SELECT pg_terminate_backend\(\d+\)/.exec(open.remedy ?? "") ?? [];
    await cleaner.query(end);
    await expect.poll(() => found(onlooker, "transactions", aged)).toMatchObject({ is: "fine" });
    await cleaner.query(`VACUUM ${tables}.outbox`);
    expect(await found(onlooker, "size")).toMatchObject({ is: "fine" });
    await cleaner.end();
  });

  test("a role that may not see the sessions of others is told so", async () => {
    const { url, session } = await database();
    const onlooker = new Onlooker("postgres", { now: Date.now(), server: url });
    await onlooker.client.runs.list();
    const [tables] = /(?<=schema=)\w+/.exec(onlooker.url) ?? [];
    const [owner, role] = [await session(), `clerk_${randomUUID().replaceAll("-", "")}`];
    await owner.query(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA ${tables} TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${tables} TO ${role}`);
    onTestFinished(async () => {
      await owner.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await owner.end();
    });
    const clerk = new URL(onlooker.url);
    clerk.username = role;
    const used = /^(\d+) of \d+ connections/;

    expect((await found(onlooker, "transactions", clerk.href)).found).toMatch(
      /, as far as this role sees: pg_read_all_stats would show it \d+ more$/,
    );
    const [, count] = used.exec((await found(onlooker, "connections", clerk.href)).found) ?? [];
    expect(Number(count)).toBeGreaterThan(1);
    await owner.query(`GRANT pg_read_all_stats TO ${role}`);
    expect((await found(onlooker, "transactions", clerk.href)).found).not.toContain("this role");
  });

  test.each(["order", 'Shop "2"'])("size: of a schema that is called %s", async (schema) => {
    const { url, session } = await database();
    const store = postgres(url, { schema });
    onTestFinished(() => store.close());
    await new Client({ store }).start("order", null);
    const owner = await session();
    await owner.query("SELECT pg_stat_force_next_flush()");
    await owner.end();
    await expect
      .poll(async () => (await store.examine()).find(({ check }) => check === "size")?.found)
      .toMatch(/, [1-9]\d* rows/);
  });
});
