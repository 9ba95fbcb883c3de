/** Opening a store: on what is there, on what is not, with the rights that one has, under any name. */
import { InvalidArgumentError, StoreUnavailableError } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { Database } from "../src/postgres/database.ts";
import { postgres } from "../src/postgres/index.ts";
import { Bed } from "./postgres/bed.ts";
import { advance, entry, eventually, Hand, kinds, rejection, signal, start } from "./hand.ts";
import { connect, Place, type Session, untilBlocks } from "./postgres/place.ts";

/** A run's whole life, and everything else that the store does with names. */
async function everything(place: Place, over = place.url): Promise<void> {
  const [one, two] = [place.open({ over }), place.open({ over })];
  const heard: string[] = [];
  one.watch(({ runIds = [] }) => void heard.push(...runIds));
  const hand = await Hand.join(one);
  const other = await Hand.join(two);
  await eventually("hints pass", async () => {
    await two.commit({ writes: [start("a"), signal("a", crypto.randomUUID())] });
    return heard.includes("a");
  });
  expect(await hand.claim()).toMatchObject([{ run: { id: "a" } }]);
  expect(await hand.renew()).toMatchObject({ live: true, reaped: 0 });
  expect(await other.renew()).toMatchObject({ live: true, reaped: 0 });
  const advanced = hand.commit(advance("a", { entries: [entry(1)], tags: { city: "Lisbon" } }));
  expect(kinds(await advanced)).toEqual(["done"]);
  const settle = () => ({ entry: entry(2), settled: [] });
  const body = (): undefined => undefined;
  const transacted = one.transact({ worker: hand.id, runId: "a", attempt: 1, body, settle });
  expect(await transacted).toEqual({ is: "done" });
  const tx = await connect(over);
  await tx.query("BEGIN");
  expect(kinds(await one.commit({ writes: [start("b")], tx }))).toEqual(["created"]);
  await tx.query("COMMIT");
  expect((await one.read("a"))?.journal.length).toBe(2);
  expect((await one.list({ tag: { city: "Lisbon" } }, { limit: 5 })).runs.length).toBe(1);
  expect(kinds(await hand.commit({ kind: "leave" }))).toEqual(["done"]);
  expect((await other.claim()).map(({ run }) => run.id).toSorted()).toEqual(["a", "b"]);
}

describe("F60: the name of the schema", () => {
  const names = [
    `we"ird; drop schema public; --`,
    `it's`,
    String.raw`back\slash`,
    "x".repeat(63),
    `${"ü".repeat(31)}x`,
    "Crème 😀",
    "select",
    "$1::int",
    "a.b",
    " ",
    "%s\n",
    "everstep.",
  ];
  test.for(names)("may be %j", async (name) => {
    const database = await Bed.ofOwnDatabase();
    await everything(new Place(database.place.url, name));
  });

  test.for(["", "x".repeat(64), "ü".repeat(32), "pg_shop", "information_schema", "a\0b", "a\ud800"])(
    "may not be %j",
    (name) => {
      const open = (): unknown => postgres("postgres://127.0.0.1/shop", { schema: name });
      expect(open).toThrow(InvalidArgumentError);
      expect(open).toThrow("1 to 63 bytes");
    },
  );

  test("keeps two of them apart in one database: runs, workers, locks and hints", async () => {
    const [one, two] = [new Place(), new Place()];
    const [a, b] = [one.open(), two.open()];
    const [hand, other] = [await Hand.join(a), await Hand.join(b)];
    expect(hand.id).toBe(other.id);
    let hints = 0;
    b.watch(() => (hints += 1));
    await a.commit({ writes: [start("a")] });
    expect(await b.count({})).toBe(0);
    expect(await other.claim()).toEqual([]);
    const before = hints;
    await hand.commit({ kind: "leave" });
    expect(await other.renew()).toMatchObject({ live: true });
    expect([await one.lockHolder(hand.id), await two.lockHolder(other.id)]).toEqual([
      undefined,
      expect.any(Number),
    ]);
    expect(hints).toBe(before);
  });

  test("is found whatever the session's search_path says", async () => {
    const bed = await Bed.ofOwnDatabase();
    const { place } = bed;
    const evil = ["runs", "journal", "messages", "workers", "meta", "retries", "tags", "guard", "nothing"]
      .map((table) => `CREATE TABLE evil.${table} (id int, evil int);`)
      .join("");
    await place.rows(`CREATE SCHEMA evil; ${evil}
      CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$;
      CREATE FUNCTION evil.floor(numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT 7::numeric $$;
      CREATE FUNCTION evil.jsonish(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
      CREATE OPERATOR evil.<= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.jsonish);`);
    for (const path of ["nowhere", "evil", "evil,pg_catalog"]) {
      const url = new URL(place.url);
      url.searchParams.set("options", `-c search_path=${path}`);
      await everything(new Place(place.url, `under ${path}`), url.href);
    }
  });
});

/** Somebody who has the lock of migrations of the schema, and does not come to an end. */
async function migrating({ url, schema }: Place): Promise<Session> {
  const { lockClass } = new Database({ source: url, schema, hasSessions: true, migrate: true });
  const holder = await connect(url);
  await holder.query(`BEGIN; SELECT pg_advisory_xact_lock(${lockClass}, 0)`);
  return holder;
}

describe("on an empty database", () => {
  test("F62: 20 stores that start at once migrate it once", async () => {
    const place = new Place();
    const stores = Array.from({ length: 20 }, () => place.open());
    expect(await Promise.all(stores.map((store) => store.count({})))).toEqual(Array(20).fill(0));
    expect(await place.rows("SELECT key, value FROM @meta ORDER BY key")).toEqual([
      { key: "oldest", value: "1" },
      { key: "schema", value: "1" },
    ]);
  });

  test("F125: a migration that breaks off leaves nothing, and the next one makes all of it", async () => {
    const bed = new Bed();
    const proxy = await bed.proxy();
    const store = bed.open({ via: proxy });
    const cut = proxy.dropReplyOf("GENERATED ALWAYS AS IDENTITY");
    expect(await rejection(store.count({}))).toBeInstanceOf(StoreUnavailableError);
    await cut;
    const made = await bed.place.rows("SELECT FROM pg_namespace WHERE nspname = $1", bed.place.schema);
    expect(made).toEqual([]);
    expect(await store.count({})).toBe(0);
  });

  test("F15: one who waits for the lock of a migration goes on when it is let go", async () => {
    const place = new Place();
    const holder = await migrating(place);
    const counts = [place.open().count({}), place.open().count({})];
    await untilBlocks(place.url, holder.processID, 2);
    await holder.query("ROLLBACK");
    expect(await Promise.all(counts)).toEqual([0, 0]);
  });

  test("F15: one who waits for too long says for what, and goes on when it is let go", async () => {
    const place = new Place();
    const store = place.open();
    const holder = await migrating(place);
    const error = await rejection(store.count({}));
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error.message).toMatch(/another process .*migrating.*pg_stat_activity.*tries again/);
    await holder.query("ROLLBACK");
    expect(await store.count({})).toBe(0);
  });
});
