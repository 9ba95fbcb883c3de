import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { StoreError, StoreUnavailableError } from "@everstep/core";
import SqliteDatabase, { type Database } from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { sqlite } from "../src/sqlite/index.ts";
import { advance, entry, eventually, Hand, rejection, start } from "./hand.ts";
import { Child, connect, openStore, tempFile } from "./sqlite-bed.ts";

/** The store's own connection, which a body of a transaction is given. */
async function connectionOf(worker: Hand<Database>): Promise<Database> {
  let own: Database | undefined;
  await worker.commit(start("opener", { claim: true }));
  await worker.store.transact({
    worker: worker.id,
    runId: "opener",
    attempt: 1,
    body: (db) => {
      own = db;
    },
    settle: () => ({ entry: entry(1), settled: [] }),
  });
  if (own === undefined) throw new Error("the body was not called");
  return own;
}

/** The disk has no page left for the store's connection. */
function fillUp(db: Database): void {
  db.pragma(`max_page_count = ${Number(db.pragma("page_count", { simple: true }))}`);
}

function makeSpace(db: Database): void {
  db.pragma("max_page_count = 1000000");
}

const LARGE = JSON.stringify("x".repeat(50_000));

describe("F25: a full disk", () => {
  test("is an outage for every write, keeps what was there, and is over by itself", async () => {
    const file = tempFile();
    const store = openStore(file);
    const worker = await Hand.join(store);
    const db = await connectionOf(worker);
    await worker.commit(start("a", { claim: true }));
    fillUp(db);
    const lease = { worker: worker.id, batch: 3 };
    const batch = { writes: [advance("a", { entries: [entry(1, { value: LARGE })] }), start("b")], lease };
    for (let round = 0; round < 3; round++) {
      const error = await rejection(store.commit(batch));
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error.message).toMatch(/SQLITE_FULL.*free some space/);
    }
    expect(await store.read("b")).toBeUndefined();
    expect((await store.read("a"))?.journal).toEqual([]);
    expect((await store.renew(worker.lease)).live).toBe(true);
    makeSpace(db);
    expect(await store.commit(batch)).toMatchObject([{ is: "done" }, { is: "created" }]);
    expect((await store.read("a"))?.journal).toMatchObject([{ seq: 1, value: LARGE }]);
  });

  test("is an outage for the SQL of a transaction too, not the step's failure", async () => {
    const store = openStore();
    const worker = await Hand.join(store);
    const db = await connectionOf(worker);
    db.exec("CREATE TABLE orders (id TEXT)");
    fillUp(db);
    const transact = (): Promise<unknown> =>
      store.transact({
        worker: worker.id,
        runId: "opener",
        attempt: 1,
        body: (tx) => tx.prepare("INSERT INTO orders VALUES (?)").run(LARGE).changes,
        settle: () => ({ entry: entry(2), settled: [] }),
      });
    await expect(transact()).rejects.toBeInstanceOf(StoreUnavailableError);
    makeSpace(db);
    expect(await transact()).toEqual({ is: "done" });
    expect(db.prepare("SELECT count(*) FROM orders").pluck().get()).toBe(1);
  });
});

test.skipIf(process.platform === "win32")(
  "F26: an I/O error is an outage, and all that was accepted before is there",
  async () => {
    const file = tempFile();
    const child = new Child("fill", [file], { shell: "ulimit -f 8000" });
    const accepted = Number(await child.says("accepted"));
    expect(await child.says("out")).toMatch(/^true .*SQLITE_(IOERR|FULL)/);
    await child.ends();
    expect(accepted).toBeGreaterThan(0);
    const store = openStore(file);
    // The run whose commit failed is not acknowledged: it may be there or not.
    expect(Math.abs((await store.count({})) - accepted)).toBeLessThanOrEqual(1);
    expect(connect(file).pragma("integrity_check", { simple: true })).toBe("ok");
  },
  60_000,
);

describe("F29: a file that is taken away under an open store", () => {
  const spoil: Readonly<Record<string, (file: string) => void>> = {
    removed: (file) => rmSync(file),
    "moved away": (file) => renameSync(file, `${file}.old`),
    replaced: (file) => {
      const other = new SqliteDatabase(`${file}.new`);
      other.exec("CREATE TABLE t (id)");
      other.close();
      renameSync(`${file}.new`, file);
    },
    "robbed of its log": (file) => rmSync(`${file}-wal`),
    "gone with its directory": (file) => {
      renameSync(dirname(file), `${dirname(file)}.old`);
      mkdirSync(dirname(file));
    },
  };

  for (const [what, damage] of Object.entries(spoil)) {
    test.skipIf(process.platform === "win32")(
      `${what}: noticed by the renewal, and nothing is written any more`,
      async () => {
        const file = tempFile();
        const store = sqlite(file);
        const worker = await Hand.join(store);
        await worker.commit(start("a", { claim: true }));
        await store.renew(worker.lease);
        damage(file);
        const error = await rejection(store.renew(worker.lease));
        expect(error).toBeInstanceOf(StoreError);
        expect(error.message).toMatch(/removed or replaced/);
        await expect(worker.commit(advance("a", { entries: [entry(1)] }))).rejects.toBeInstanceOf(StoreError);
        await expect(store.read("a")).rejects.toBeInstanceOf(StoreError);
        await store.close();
        rmSync(`${dirname(file)}.old`, { recursive: true, force: true });
      },
    );
  }

  test.skipIf(process.platform === "win32")("noticed by a busy client within about a second", async () => {
    const file = tempFile();
    const store = openStore(file);
    await store.commit({ writes: [start("a")] });
    rmSync(file);
    writeFileSync(file, "");
    const removedAt = performance.now();
    let lastAcceptedAt = removedAt;
    let runs = 0;
    await eventually("a commit is refused", async () => {
      const beganAt = performance.now();
      const isRefused = await store.commit({ writes: [start(`b${runs++}`)] }).then(
        () => false,
        (error: unknown) => error instanceof StoreError,
      );
      if (!isRefused) lastAcceptedAt = beganAt;
      return isRefused;
    });
    expect(lastAcceptedAt - removedAt).toBeLessThan(1_000);
  });
});

test("F31: a copy made by VACUUM INTO while runs are written is whole; the files beside it are no part of it", async () => {
  const file = tempFile();
  const store = openStore(file);
  const worker = await Hand.join(store);
  await worker.commit(...Array.from({ length: 50 }, (_, n) => start(`run-${n}`, { claim: true })));
  const copies = join(dirname(file), "backup.db");
  const writing = Array.from({ length: 20 }, (_, n) =>
    worker.commit(advance(`run-${n}`, { entries: [entry(1)] })),
  );
  connect(file).exec(`VACUUM INTO '${copies}'`);
  await Promise.all(writing);
  const restored = openStore(copies);
  expect(await restored.count({ status: "running" })).toBe(50);
  expect((await restored.list({}, { limit: 100 })).runs.map(({ input }) => input)).toEqual(
    Array(50).fill("1"),
  );
  expect(readdirSync(dirname(file)).filter((name) => name.startsWith("backup.db"))).toContain("backup.db");
});
