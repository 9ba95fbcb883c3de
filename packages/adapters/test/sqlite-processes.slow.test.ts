/** Processes that are killed, frozen and started together. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sideFile } from "../src/sqlite/side-lock.ts";
import { eventually, Hand, start } from "./hand.ts";
import { Child, connect, openStore, tempFile, untilReaped } from "./sqlite-bed.ts";

const LONG_LEASE = "60000";

describe("the death of another process", () => {
  test("F4: a killed worker is noticed in about a second, long before its lease is over", async () => {
    const file = tempFile();
    const child = new Child("work", [file, LONG_LEASE]);
    const victim = Number(await child.says("worker"));
    const heir = await Hand.join(openStore(file));
    for (let look = 0; look < 5; look++) expect((await heir.store.renew(heir.lease)).reaped).toBe(0);
    child.process.kill("SIGKILL");
    await child.ends();
    expect((await untilReaped(heir)).inVainMs).toBeLessThan(500);
    expect((await heir.store.read("a"))?.run).toMatchObject({ owner: null, strikes: 1, interrupted: true });
    expect(existsSync(sideFile(file, victim))).toBe(false);
    expect(await heir.claim()).toMatchObject([{ run: { id: "a", attempt: 2 } }]);
  });

  test.skipIf(process.platform === "win32")(
    "F63: a frozen worker is noticed by its lease only, and fenced when it wakes up",
    async () => {
      const file = tempFile();
      const child = new Child("work", [file, "3000"]);
      await child.says("worker");
      const heir = await Hand.join(openStore(file));
      child.process.kill("SIGSTOP");
      await heir.store.renew(heir.lease);
      const owner = (await heir.store.read("a"))?.owner;
      const { tookMs } = await untilReaped(heir);
      const { now = 0 } = (await heir.store.read("a")) ?? {};
      expect(now).toBeGreaterThanOrEqual(owner?.expiresAt ?? Infinity);
      expect(tookMs).toBeGreaterThan(800);
      child.process.kill("SIGCONT");
      expect(await child.says("fenced")).toBe("fenced");
      expect((await heir.store.read("a"))?.run).toMatchObject({ owner: null, strikes: 1 });
    },
    60_000,
  );

  test("F65: of several processes one takes over", async () => {
    const file = tempFile();
    const child = new Child("work", [file, LONG_LEASE]);
    await child.says("worker");
    const heirs = [
      await Hand.join(openStore(file)),
      await Hand.join(openStore(file)),
      await Hand.join(openStore(file)),
    ];
    child.process.kill("SIGKILL");
    await child.ends();
    let reaped = 0;
    await eventually("the dead worker is taken over", async () => {
      const renewals = await Promise.all(heirs.map(({ store, lease }) => store.renew(lease)));
      reaped += renewals.reduce((sum, renewal) => sum + renewal.reaped, 0);
      return reaped > 0;
    });
    expect(reaped).toBe(1);
    expect((await heirs[0]?.store.read("a"))?.run.strikes).toBe(1);
  });

  test("F6 F24: processes that are killed while they work lose no run and end none twice", async () => {
    const file = tempFile();
    const store = openStore(file);
    const ids = Array.from({ length: 400 }, (_, n) => `run-${n}`);
    await store.commit({ writes: ids.map((id) => start(id)) });
    const work = (): Child => new Child("drain", [file]);
    const survivors = [work(), work()];
    for (let kill = 0; kill < 4; kill++) {
      const victim = work();
      await victim.says("joined");
      victim.process.kill("SIGKILL");
      await victim.ends();
    }
    for (const child of survivors) await child.says("drained");
    expect(await store.count({ status: "completed" })).toBe(400);
    const db = connect(file);
    expect(db.prepare("SELECT count(*), count(DISTINCT run) FROM everstep_journal").raw().get()).toEqual([
      400, 400,
    ]);
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  });
});

test("F62: twenty processes that open an empty file at once migrate it once", async () => {
  const file = tempFile();
  const children = Array.from({ length: 20 }, () => new Child("open", [file]));
  for (const child of children) {
    expect(await child.says("runs")).toBe("0");
    expect(await child.ends()).toBe(0);
  }
  const db = connect(file);
  expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  expect(db.prepare("SELECT * FROM everstep_meta").all()).toEqual([{ key: "schema", value: "1" }]);
});
