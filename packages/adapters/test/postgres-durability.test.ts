/** P1, F16: on a server with `synchronous_commit = off`, what was acknowledged survives its crash all the same. */
import { type OwnServer, startPostgres } from "@everstep/postgres-server";
import type { ClientBase } from "pg";
import { expect, onTestFinished, test } from "vitest";
import type { Place as APlace } from "./postgres/place.ts";
import { advance, entry, eventually, Hand, start } from "./hand.ts";
import { Place } from "./postgres/place.ts";

/** A server that says yes before anything is on its disk, and then leaves it in memory for long. */
async function laxServer(): Promise<{ readonly place: APlace; readonly own: OwnServer } | undefined> {
  const settings = { synchronous_commit: "off", wal_writer_delay: "10s" };
  const server = await startPostgres({ settings });
  onTestFinished(() => server.stop());
  return server.own === null ? undefined : { place: new Place(server.url, "everstep"), own: server.own };
}

/** Does it as soon as the server is there again, and crashes the server after it. */
async function thenCrash<T>(own: OwnServer, act: () => Promise<T>): Promise<T> {
  let result: { readonly value: T } | undefined;
  await eventually("the server takes it", async () => {
    result = await act().then(
      (value) => ({ value }),
      () => undefined,
    );
    return result !== undefined;
  });
  await own.restart("immediate");
  if (result === undefined) throw new Error("it was not done");
  return result.value;
}

test("P1 F16: what was acknowledged survives a crash of a server whose commits are not durable by themselves", async ({
  skip,
}) => {
  const lax = await laxServer();
  if (lax === undefined) return skip("the server of DATABASE_URL is not ours to crash");
  const { place, own } = lax;
  const store = place.open();
  await store.count({});
  await place.rows("CREATE TABLE @orders (id text)");
  await place.rows("CHECKPOINT");

  await thenCrash(own, () => place.rows("INSERT INTO @orders VALUES ('lost')"));
  expect(await place.rows("SELECT FROM @orders"), "this server forgets, or nothing is shown here").toEqual(
    [],
  );

  const hand = await thenCrash(own, () => Hand.join(store));
  expect(await place.rows("SELECT id::int FROM @workers WHERE live")).toEqual([{ id: hand.id }]);

  await thenCrash(own, () =>
    store.commit({ writes: [start("a"), start("b", { due: { inMs: 3_600_000 } })] }),
  );
  expect(await store.count({})).toBe(2);

  await thenCrash(own, async () => expect(await hand.claim()).toMatchObject([{ run: { attempt: 1 } }]));
  expect((await store.read("a"))?.run).toMatchObject({ owner: hand.id, attempt: 1 });

  await thenCrash(own, () => hand.send(1, [advance("a", { entries: [entry(1)] })]));
  expect((await store.read("a"))?.journal.length).toBe(1);

  await thenCrash(own, () =>
    store.transact({
      worker: hand.id,
      runId: "a",
      attempt: 1,
      body: (db) => (db as unknown as ClientBase).query("INSERT INTO everstep.orders VALUES ('kept')"),
      settle: () => ({ entry: entry(2), settled: [] }),
    }),
  );
  expect(await place.rows("SELECT id FROM @orders")).toEqual([{ id: "kept" }]);
  expect((await store.read("a"))?.journal.length).toBe(2);

  await thenCrash(own, async () => {
    const client = await place.connect();
    await client.query("BEGIN; INSERT INTO everstep.orders VALUES ('of the caller')");
    await store.commit({ writes: [start("c")], tx: client });
    await client.query("COMMIT");
  });
  expect(await store.count({})).toBe(3);
  expect((await place.rows("SELECT id FROM @orders")).length).toBe(2);
});
