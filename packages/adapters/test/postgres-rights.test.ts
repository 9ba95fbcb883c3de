/** S13, F27, F61: what a role needs, and what is said to one that lacks it, or that does not get in at all. */
import { readFileSync, writeFileSync } from "node:fs";
import { InvalidArgumentError, StoreError, StoreUnavailableError } from "@everstep/core";
import { startPostgres } from "@everstep/postgres-server";
import { escapeIdentifier } from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { grantsSql, postgres, schemaSql } from "../src/postgres/index.ts";
import { Bed } from "./postgres/bed.ts";
import { advance, end, entry, eventually, Hand, kinds, rejection, signal, start } from "./hand.ts";
import { Orders } from "./postgres/orders.ts";
import { connect, Place } from "./postgres/place.ts";

/** A role that may log in, and nothing else. */
async function role({ url }: Place): Promise<{ readonly name: string; readonly url: string }> {
  const name = `role ${crypto.randomUUID()}`;
  const client = await connect(url);
  await client.query(`CREATE ROLE ${escapeIdentifier(name)} LOGIN`);
  onTestFinished(async () => {
    const owner = await connect(url);
    await owner.query(`DROP OWNED BY ${escapeIdentifier(name)}; DROP ROLE ${escapeIdentifier(name)}`);
  });
  const its = new URL(url);
  its.username = name;
  its.password = "";
  return { name, url: its.href };
}

describe("S13: the schema belongs to one role, and another one works with it", () => {
  test("schemaSql makes it, and grantsSql is enough to work", async () => {
    const { place } = await Bed.ofOwnDatabase();
    const [owner, runtime] = [await role(place), await role(place)];
    const database = new URL(place.url).pathname.slice(1);
    await place.rows(`GRANT CREATE ON DATABASE "${database}" TO ${escapeIdentifier(owner.name)}`);
    const asOwner = await connect(owner.url);
    await asOwner.query(schemaSql({ schema: place.schema }));
    await asOwner.query(grantsSql(runtime.name, { schema: place.schema }));

    const store = place.open({ over: runtime.url, migrate: false });
    const hand = await Hand.join(store);
    await store.commit({ writes: [start("a", { tags: { city: "Lisbon" } }), signal("a", "1")] });
    expect((await hand.claim()).length).toBe(1);
    expect(await hand.renew()).toMatchObject({ live: true });
    const retry = { key: "x", failures: 1, firstAt: 1, nextAt: 1, inDoubt: false };
    expect(kinds(await hand.commit(advance("a", { entries: [entry(1)], retries: [retry] })))).toEqual([
      "done",
    ]);
    const settle = () => ({ entry: entry(2), settled: ["x"] });
    const body = (): undefined => undefined;
    const transacted = store.transact({ worker: hand.id, runId: "a", attempt: 1, body, settle });
    expect(await transacted).toEqual({ is: "done" });
    expect(kinds(await hand.commit({ ...end("a"), entries: [entry(3)] }, { kind: "leave" }))).toEqual([
      "done",
      "done",
    ]);
    expect(await store.count({ status: "completed" })).toBe(1);
  });

  test("the other one can't change the schema, nor say which builds may use it", async () => {
    const place = new Place();
    const runtime = await role(place);
    await place.rows(schemaSql({ schema: place.schema }));
    await place.rows(grantsSql(runtime.name, { schema: place.schema }));
    const client = await connect(runtime.url);
    const refused = [
      "CREATE TABLE @mine (id int)",
      "ALTER TABLE @runs ADD COLUMN mine int",
      "CREATE INDEX ON @runs (id)",
      "DROP TABLE @guard",
      "TRUNCATE @journal",
      "CREATE OR REPLACE FUNCTION @admit(build int) RETURNS void LANGUAGE sql AS ''",
      "UPDATE @meta SET value = '9'",
      "INSERT INTO @nothing VALUES (1)",
      "CREATE TRIGGER mine BEFORE INSERT ON @journal FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ];
    for (const statement of refused) {
      const error = await rejection(client.query(statement.replaceAll("@", `${place.quoted}.`)));
      expect(error, `when it says ${statement}`).toMatchObject({ code: "42501" });
    }
  });

  test("schemaSql twice changes nothing: it is refused as a whole", async () => {
    const place = new Place();
    await place.rows(schemaSql({ schema: place.schema }));
    await place.open().commit({ writes: [start("a")] });
    const client = await connect(place.url);
    expect(await rejection(client.query(schemaSql({ schema: place.schema })))).toMatchObject({
      code: "42P06",
    });
    await client.query("ROLLBACK");
    expect(await place.open().count({})).toBe(1);
  });
});

describe("what is said to one that lacks a right", () => {
  test("to one that may not migrate, or may not create: who has to run what", async () => {
    const place = new Place();
    const told = await rejection(place.open({ migrate: false }).count({}));
    expect(told).toBeInstanceOf(StoreError);
    expect(told.message).toMatch(/no tables of everstep.*told not to migrate.*schemaSql\(\)/);
    const refused = await rejection(place.open({ over: (await role(place)).url }).count({}));
    expect(refused).toBeInstanceOf(StoreError);
    expect(refused.message).toMatch(/this role may not create it.*schemaSql\(\).*grantsSql\(\)/);
  });

  test("to one that was not granted anything: that it is an outage, and the grants that end it", async () => {
    const place = new Place();
    await place.open().count({});
    const { name, url } = await role(place);
    const store = place.open({ over: url });
    const error = await rejection(store.count({}));
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error.message).toContain("grantsSql()");
    await place.rows(grantsSql(name, { schema: place.schema }));
    expect(await store.count({})).toBe(0);
  });
});

describe("F61: rights that are taken away while a worker works", () => {
  test("are an outage that says what is missing: nothing fails, and all goes on once they are back", async () => {
    const bed = new Bed();
    const { name, url } = await role(bed.place);
    await Orders.makeTable(bed);
    await bed.place.rows(grantsSql(name, { schema: bed.place.schema }));
    await bed.place.rows(`GRANT INSERT ON @bookings TO ${escapeIdentifier(name)}`);
    const orders = await Orders.open(bed, bed.place.open({ over: url }));
    const gate = orders.hold("charge");
    await orders.start(10);
    await gate.reached;
    await bed.place.rows(
      `REVOKE ALL ON ALL TABLES IN SCHEMA ${bed.place.quoted} FROM ${escapeIdentifier(name)}`,
    );
    gate.open();
    const error = await rejection(bed.place.open({ over: url }).commit({ writes: [start("x")] }));
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error.message).toMatch(/42501.*grantsSql\(\)/);
    await eventually("its log says so", () => orders.complaints.some((text) => text.includes("grantsSql()")));
    await bed.place.rows(grantsSql(name, { schema: bed.place.schema }));
    await bed.place.rows(`GRANT INSERT ON @bookings TO ${escapeIdentifier(name)}`);
    await orders.allWell();
    expect(orders.complaints, "said once").toEqual([expect.stringMatching(/waits for its store.*grantsSql/)]);
  });
});

describe("what is said to one that does not get in", () => {
  const messageAt = async (url: string): Promise<Error> => {
    const store = postgres(url, { schema: "nowhere" });
    onTestFinished(() => store.close());
    return rejection(store.count({}));
  };

  test("without a connection string: that DATABASE_URL may be missing, or what one looks like", () => {
    const open = (connection: unknown) => (): unknown => postgres(connection as string);
    expect(open(undefined)).toThrow(InvalidArgumentError);
    expect(open(undefined)).toThrow("DATABASE_URL");
    expect(open(null)).toThrow("DATABASE_URL");
    for (const text of ["", "shop.db", "mysql://root:secret@127.0.0.1/shop"]) {
      expect(open(text)).toThrow(InvalidArgumentError);
      expect(open(text)).toThrow("begins with postgres://");
      expect(open(text)).not.toThrow("secret");
    }
  });

  test("to a database that is not there: to create it", async () => {
    const url = new URL(new Place().url);
    url.pathname = "no_such_database";
    const error = await messageAt(url.href);
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toMatch(/no_such_database.*create the database, or correct the connection string/);
  });

  test("where nobody listens: that it is tried again", async () => {
    for (const host of ["127.0.0.1", "localhost"]) {
      const error = await messageAt(`postgres://somebody:secret@${host}:1/shop`);
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error.message).toMatch(/ECONNREFUSED.*check that the server runs.*goes on by itself/);
      expect(error.message).not.toContain("secret");
    }
  });

  test("with a wrong password, or as nobody: to correct it", async ({ skip }) => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    if (server.own === null) return skip("the server of DATABASE_URL is not ours to lock");
    const client = await connect(server.url);
    await client.query("CREATE ROLE locked LOGIN PASSWORD 'right'");
    const { rows } = await client.query<{ hba_file: string }>("SHOW hba_file");
    const file = rows[0]?.hba_file ?? "";
    writeFileSync(file, `host all locked 127.0.0.1/32 scram-sha-256\n${readFileSync(file, "utf8")}`);
    await client.query("SELECT pg_reload_conf()");
    for (const login of ["locked:wrong-secret", "no_such_role:wrong-secret"]) {
      const error = await messageAt(server.url.replace("postgres@", `${login}@`));
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error.message).toMatch(/correct the role or its password in the connection string/);
      expect(error.message).not.toContain("wrong-secret");
    }
  });

  test("F16: on a server that forgets what it said, a warning, once", async ({ skip }) => {
    const server = await startPostgres({ settings: { fsync: "off" } });
    onTestFinished(() => server.stop());
    if (server.own === null) return skip("the server of DATABASE_URL is not ours to start so");
    const heard: unknown[] = [];
    const hear = (warning: Error & { readonly code?: string }): unknown => heard.push(warning.code);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    const place = new Place(server.url, "everstep");
    expect(await place.open().count({})).toBe(0);
    expect(await place.open().count({})).toBe(0);
    expect(heard).toEqual(["EVERSTEP_NOT_DURABLE"]);
  });
});
