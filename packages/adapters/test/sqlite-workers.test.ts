import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { sqlite } from "../src/sqlite/index.ts";
import { isFree, SideLock, sideFile } from "../src/sqlite/side-lock.ts";
import { SqliteStore } from "../src/sqlite/sqlite-store.ts";
import { advance, entry, eventually, Hand, rejection, signal, start } from "./hand.ts";
import { connect, openStore, tempFile, untilReaped } from "./sqlite-bed.ts";

describe("workers of one process", () => {
  test("several on one store, and several stores on one file, see each other alive", async () => {
    const file = tempFile();
    const [one, two] = [openStore(file), openStore(file)];
    const hands = [await Hand.join(one), await Hand.join(one), await Hand.join(two)];
    const since = performance.now();
    let looks = 0;
    await eventually("they looked at each other for longer than a death takes to notice", async () => {
      for (const { store, lease } of hands)
        expect(await store.renew(lease)).toMatchObject({ live: true, reaped: 0 });
      looks += 1;
      return performance.now() - since > 1_000 && looks > 3;
    });
  });

  test("one whose store was closed without a leave is dead at the second look, half a second after the first", async () => {
    const file = tempFile();
    const closing = sqlite(file);
    const victim = await Hand.join(closing);
    await victim.commit(start("a", { claim: true }));
    const heir = await Hand.join(openStore(file));
    await closing.close();
    expect((await untilReaped(heir)).inVainMs).toBeLessThan(500);
    expect(await heir.claim()).toMatchObject([{ run: { id: "a", attempt: 2 } }]);
  });

  test("one that left has no file any more, and is not taken over", async () => {
    const file = tempFile();
    const store = openStore(file);
    const [leaver, other] = [await Hand.join(store), await Hand.join(store)];
    expect(existsSync(sideFile(file, leaver.id))).toBe(true);
    await leaver.commit({ kind: "leave" });
    expect(existsSync(sideFile(file, leaver.id))).toBe(false);
    expect(await store.renew(other.lease)).toMatchObject({ live: true, reaped: 0 });
    expect(readdirSync(dirname(file)).filter((name) => name.includes("worker"))).toEqual([
      `shop.db.worker-${other.id}`,
    ]);
  });

  test("P5 S5 F69: the number of a dead worker is never used again, also when its row was tidied away", async () => {
    const file = tempFile();
    const store = openStore(file);
    const first = await Hand.join(store);
    await first.commit({ kind: "leave" });
    connect(file).exec("UPDATE everstep_workers SET expires_at = 1");
    const second = await Hand.join(store);
    expect(second.id).toBeGreaterThan(first.id);
    const db = connect(file);
    expect(db.prepare("SELECT id FROM everstep_workers").pluck().all()).toEqual([second.id]);
    // S3: it is as fenced as with its row.
    expect(await first.commit(advance("a"), start("b"))).toMatchObject([{ is: "fenced" }, { is: "created" }]);
    const lease = { worker: second.id + 1, batch: 1 };
    expect((await rejection(store.commit({ writes: [], lease }))).message).toContain("there is no worker");
  });

  test("F68 F76: a worker without a lock file is judged by its lease alone", async () => {
    const file = tempFile();
    const store = openStore(file);
    const [unlocked, other] = [await Hand.join(store), await Hand.join(store)];
    connect(file).prepare("UPDATE everstep_workers SET kernel = NULL WHERE id = ?").run(unlocked.id);
    const since = performance.now();
    await eventually("many looks", async () => {
      expect((await store.renew(other.lease)).reaped).toBe(0);
      return performance.now() - since > 1_000;
    });
    connect(file).prepare("UPDATE everstep_workers SET expires_at = 1 WHERE id = ?").run(unlocked.id);
    expect((await store.renew(other.lease)).reaped).toBe(1);
    expect((await store.renew(unlocked.lease)).live).toBe(false);
  });

  test("a sign of life between two looks saves a worker whose lock is lost", async () => {
    const file = tempFile();
    const store = openStore(file);
    const other = await Hand.join(openStore(file));
    const worker = await Hand.join(store);
    // As if a second copy of SQLite in the process had dropped its locks.
    connect(file).prepare("UPDATE everstep_workers SET kernel = kernel || '' WHERE id = ?").run(worker.id);
    rmSync(sideFile(file, worker.id));
    const since = performance.now();
    await eventually("it commits and is looked at for a while", async () => {
      await worker.commit();
      expect((await other.store.renew(other.lease)).reaped).toBe(0);
      return performance.now() - since > 1_000;
    });
  });
});

describe("renewal", () => {
  test("is a read until a third of the lease is used up", async () => {
    const file = tempFile();
    const store = openStore(file);
    const worker = await Hand.join(store, { leaseMs: 1_500 });
    const reader = connect(file);
    const version = (): unknown => reader.pragma("data_version", { simple: true });
    const before = version();
    const first = await store.renew(worker.lease);
    expect([first.expiresAt, version()]).toEqual([worker.lease.expiresAt, before]);
    await eventually("the lease is extended", async () => {
      const { expiresAt, now } = await store.renew(worker.lease);
      if (expiresAt === worker.lease.expiresAt) expect(now).toBeLessThanOrEqual(worker.lease.now + 500 + 1);
      return expiresAt > worker.lease.expiresAt;
    });
    expect(version()).not.toBe(before);
  });

  test("S5: tells what the worker owns the first time, and then every few seconds", async () => {
    const store = openStore();
    const worker = await Hand.join(store);
    await worker.commit(start("a", { claim: true }), advance("a", { entries: [entry(1)] }));
    expect((await store.renew(worker.lease)).owned).toEqual([{ runId: "a", attempt: 1, inbox: 0 }]);
    expect((await store.renew(worker.lease)).owned).toBeNull();
  });
});

describe("a side lock", () => {
  test("is held until it is released, and looking at it takes nothing away", () => {
    const path = `${tempFile()}.worker-1`;
    expect(isFree(path)).toBe(true);
    const lock = SideLock.take(path);
    for (let look = 0; look < 3; look++) expect(isFree(path)).toBe(false);
    expect(SideLock.take(path)).toBeUndefined();
    expect(isFree(path)).toBe(false);
    lock?.release();
    expect(existsSync(path)).toBe(false);
    expect(isFree(path)).toBe(true);
  });

  test("is not to be had where no file can be made", () => {
    expect(SideLock.take("/nowhere/at/all/shop.db.worker-1")).toBeUndefined();
  });
});

test("P7: a claim says when it began to read, so that a signal which comes while it reads does not seem to be missing", async () => {
  const file = tempFile();
  openStore(file);
  let now = Date.now();
  const store = new SqliteStore({ db: connect(file), file, lockWaitMs: 0, now: () => (now += 10) });
  const worker = await Hand.join(store);
  await worker.commit(start("a", { claim: true }), signal("a", "s1"));
  const began = now;
  const inboxes = [{ runId: "a", after: 0 }];
  const claim = { worker: worker.id, limit: 0, workflows: [], except: [], inboxes };
  const result = await store.claim(claim);
  expect(result.inboxes).toMatchObject([{ runId: "a", inbox: 1 }]);
  expect(result.now).toBe(began + 10);
  expect(now).toBeGreaterThan(result.now);
});
