import { statSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { StoreUnavailableError } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { advance, entry, eventually, Hand, rejection, start } from "./hand.ts";
import { connect, openStore, tempFile } from "./sqlite-bed.ts";

/** Settles at once or not: whether a promise is still pending after the other processes' turn. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const winner = await Promise.race([
    promise,
    new Promise((resolve) => setImmediate(() => resolve(pending))),
  ]);
  return winner === pending;
}

describe("while another process holds the write lock", () => {
  test("F21 F23: writes wait without blocking the event loop, and are done when it is free", async () => {
    const file = tempFile();
    const store = openStore(file);
    const worker = await Hand.join(store);
    await worker.commit(start("a", { claim: true }));
    const other = connect(file);
    other.exec("BEGIN IMMEDIATE");

    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const written = worker.commit(advance("a", { entries: [entry(1)] }));
    const joined = store.join({ workflows: [], leaseMs: 1_000, host: "", pid: 1 });
    let turns = 0;
    await eventually("the event loop turned many times", () => ++turns > 50);
    expect(await isPending(written)).toBe(true);
    expect(await isPending(joined)).toBe(true);
    other.exec("COMMIT");
    delay.disable();

    expect(await written).toEqual([{ is: "done" }]);
    expect((await joined).worker).toBeGreaterThan(worker.id);
    // SQLite's own wait for a lock would block for seconds.
    expect(delay.max / 1e6).toBeLessThan(1_000);
  });

  test("F21: reads don't wait", async () => {
    const file = tempFile();
    const store = openStore(file);
    await store.commit({ writes: [start("a")] });
    connect(file).exec("BEGIN IMMEDIATE; CREATE TABLE held (id)");
    expect(await store.count({})).toBe(1);
    expect((await store.read("a"))?.run.id).toBe("a");
    const idle = { worker: 1, limit: 10, workflows: [], except: [], inboxes: [] };
    expect((await store.claim(idle)).claims).toEqual([]);
  });

  test("F21: it is an outage after `lockWaitMs`, and goes on by itself later", async () => {
    const file = tempFile();
    const store = openStore(file, { lockWaitMs: 100 });
    const other = connect(file);
    other.exec("BEGIN IMMEDIATE");
    const error = await rejection(store.commit({ writes: [start("a")] }));
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error.message).toMatch(/still locked.*end it/);
    other.exec("COMMIT");
    expect(await store.commit({ writes: [start("a")] })).toMatchObject([{ is: "created" }]);
  });

  test("F21: a body of a transaction is not begun", async () => {
    const file = tempFile();
    const store = openStore(file, { lockWaitMs: 50 });
    const worker = await Hand.join(store);
    await worker.commit(start("a", { claim: true }));
    const other = connect(file);
    other.exec("BEGIN IMMEDIATE");
    let calls = 0;
    const transact = (): Promise<unknown> =>
      store.transact({
        worker: worker.id,
        runId: "a",
        attempt: 1,
        body: () => ++calls,
        settle: () => ({ entry: entry(1), settled: [] }),
      });
    await expect(transact()).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(calls).toBe(0);
    other.exec("COMMIT");
    expect(await transact()).toEqual({ is: "done" });
    expect(calls).toBe(1);
  });
});

test("F22: no write begins as a read, so none fails because another has written meanwhile", async () => {
  const file = tempFile();
  const [one, two] = [openStore(file), openStore(file)];
  const [first, second] = [await Hand.join(one), await Hand.join(two)];
  for (let round = 0; round < 20; round++) {
    const outcomes = await Promise.all([
      first.commit(start(`a${round}`)),
      second.commit(start(`b${round}`)),
      first.claim(1),
      second.claim(1),
    ]);
    expect(outcomes.slice(0, 2)).toMatchObject([[{ is: "created" }], [{ is: "created" }]]);
  }
});

test("F30: a log that grew under a long reader is cut back afterwards", async () => {
  const file = tempFile();
  const store = openStore(file);
  const input = JSON.stringify("x".repeat(1_000_000));
  const reader = connect(file);
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM everstep_runs").get();
  const logBytes = (): number => statSync(`${file}-wal`).size;
  let runs = 0;
  const write = async (): Promise<void> => {
    await store.commit({ writes: [start(`run-${runs++}`, { input })] });
  };
  while (logBytes() < 80 * 2 ** 20) await write();
  reader.exec("COMMIT");
  for (let round = 0; round < 40; round++) await write();
  expect(logBytes()).toBeLessThanOrEqual(64 * 2 ** 20);
});
