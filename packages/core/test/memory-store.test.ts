import { expect, test } from "vitest";
import { StoreError, StoreUnavailableError } from "../src/index.ts";
import type { Send, StartWrite, Write } from "../src/index.ts";
import { type MemoryStore, memoryStore, virtualClock } from "../src/testing/index.ts";

const workflows = [{ name: "order", version: "1", on: null, priority: 0, timeoutMs: null }];

function start(id: string, input = "1"): StartWrite {
  const run = {
    id,
    workflow: "order",
    version: "1",
    input,
    inputHash: input,
    priority: 0,
    tags: {},
    timeoutMs: null,
  };
  return { kind: "start", run, claim: false };
}

function signal(runId: string, id: string): Write {
  return { kind: "message", runId, message: { type: "signal", id, name: "go", payload: "1" } };
}

async function join(store: MemoryStore): Promise<number> {
  return (await store.join({ workflows, leaseMs: 10_000, host: "here", pid: 1 })).worker;
}

test("a transaction is committed although others wrote meanwhile, to other runs and to its own", async () => {
  const store = memoryStore();
  await store.commit({ writes: [start("a")] });
  const tx = store.begin();
  await store.commit({ writes: [start("b"), signal("a", "1")], tx });
  await store.commit({ writes: [start("c"), signal("a", "2")] });
  await tx.commit();
  expect((await store.read("a"))?.messages.map(({ id }) => id)).toEqual(["2", "1"]);
  expect(await store.count({})).toBe(3);
});

test("a transaction whose answers are no longer true can't be committed, and leaves nothing", async () => {
  const store = memoryStore();
  const tx = store.begin();
  await store.commit({ writes: [start("mine"), start("a")], tx });
  await store.commit({ writes: [start("a", "2")] });
  await expect(tx.commit()).rejects.toThrow(StoreUnavailableError);
  expect(await store.read("mine")).toBeUndefined();
  expect((await store.read("a"))?.run.input).toBe("2");
});

test("a transaction that can't be committed any more says so at its next write", async () => {
  const store = memoryStore();
  const tx = store.begin();
  await store.commit({ writes: [start("a")], tx });
  await store.commit({ writes: [start("a", "2")] });
  await expect(store.commit({ writes: [start("b")], tx })).rejects.toThrow(StoreUnavailableError);
});

test("a transaction ends once, and is of one store", async () => {
  const [store, other] = [memoryStore(), memoryStore()];
  const tx = store.begin();
  await tx.rollback();
  await expect(tx.commit()).rejects.toThrow(StoreError);
  await expect(store.commit({ writes: [], tx })).rejects.toThrow("has ended");
  await expect(store.commit({ writes: [], tx: other.begin() })).rejects.toThrow(
    "not a transaction of this store",
  );
  await store.reopen().commit({ writes: [start("a")], tx: store.begin() });
});

test("a body runs again when its transaction could not be serialized", async () => {
  const store = memoryStore();
  const worker = await join(store);
  await store.commit({ writes: [{ ...start("a"), claim: true }], lease: { worker, batch: 1 } });
  const outcomes: string[] = [];
  const answer = await store.transact({
    worker,
    runId: "a",
    attempt: 1,
    body: async (tx) => {
      const [outcome] = await store.commit({ writes: [start("b")], tx });
      outcomes.push(outcome?.is ?? "");
      if (outcomes.length === 1) await store.commit({ writes: [start("b")] });
    },
    settle: () => ({ entry: { seq: 1, kind: "step", key: "x", at: 1 }, settled: [] }),
  });
  expect(answer).toEqual({ is: "done" });
  expect(outcomes).toEqual(["created", "exists"]);
  expect((await store.read("a"))?.journal).toHaveLength(1);
});

test("F68: of two workers with the same host and process number, neither keeps the other one alive", async () => {
  const clock = virtualClock();
  const store = memoryStore({ clock });
  const [first, second] = [await join(store), await join(store)];
  const lease = (worker: number) => ({ worker, leaseMs: 10_000, expiresAt: 0, now: 0 });
  for (let renewal = 0; renewal < 4; renewal++) {
    await clock.advance(4000);
    expect(await store.renew(lease(second))).toMatchObject({ live: true });
  }
  expect(await store.renew(lease(first))).toMatchObject({ live: false });
});

test("a closed store says that it is closed; another one on the same data goes on", async () => {
  const store = memoryStore();
  const other = store.reopen();
  await store.close();
  await store.close();
  await expect(store.commit({ writes: [start("a")] })).rejects.toThrow("closed");
  await expect(store.read("a")).rejects.toThrow(StoreError);
  await other.commit({ writes: [start("a")] });
  expect(await other.count({})).toBe(1);
});

test("the time of the store is that of its clock", async () => {
  const clock = virtualClock({ start: 1_000 });
  const store = memoryStore({ clock });
  await store.commit({ writes: [start("a")] });
  await clock.advance(500);
  expect(await store.read("a")).toMatchObject({ now: 1_500, run: { createdAt: 1_000 } });
});

test("a dump holds all that is stored, the same for the same history", async () => {
  const history = async (ids: readonly string[]): Promise<unknown> => {
    const store = memoryStore({ clock: virtualClock() });
    const worker = await join(store);
    await store.commit({ writes: ids.map((id) => start(id)) });
    await store.commit({ writes: [signal("a", "1")] });
    await store.claim({ worker, limit: 10, workflows, except: [], inboxes: [] });
    const consume = { kind: "advance", runId: "a", attempt: 1, consume: [[1, 1]] } as const;
    const entries = [{ seq: 1, kind: "signal", key: "go", at: 1 }] as const;
    await store.commit({ writes: [{ ...consume, entries }], lease: { worker, batch: 1 } });
    return store.dump();
  };
  const dump = await history(["a", "b"]);
  expect(await history(["b", "a"])).toEqual(dump);
  expect(JSON.parse(JSON.stringify(dump))).toEqual(dump);
  expect(dump).toMatchObject({
    runs: [
      {
        id: "a",
        inputHash: "1",
        attempt: 1,
        journal: [{ seq: 1, attempt: 1 }],
        messages: [{ no: 1, consumedBy: 1 }],
      },
      { id: "b", messages: [] },
    ],
    workers: [{ id: 1, live: true, batch: 1, outcomes: [{ is: "done" }] }],
  });
});

test("S12 S13: a dump holds what runs wait for, events, pauses, purged ids and the outbox, whatever came first", async () => {
  const emitting = (id: string): Write => ({
    kind: "emit",
    event: { name: "paid", id, payload: "1", codecId: "c", payloadHash: "1", runPrefix: `${id}/` },
  });
  const calling = (id: string): Send => ({
    kind: "start",
    seq: 1,
    run: start(id).run,
    key: id,
    awaited: true,
  });
  const history = async (ids: readonly string[]): Promise<unknown> => {
    const store = memoryStore({ clock: virtualClock() });
    const worker = await join(store);
    const ended = { kind: "advance", runId: "over", attempt: 1, entries: [] } as const;
    const entries = [{ seq: 1, kind: "call", key: "x", at: 1 }] as const;
    const told = [{ id: "1", text: "told" }];
    await store.commit({
      writes: [
        { ...start("over"), claim: true },
        { ...ended, then: { do: "end", status: "completed" } },
        { kind: "purge", runId: "over" },
        { ...start("a"), claim: true },
        { kind: "advance", runId: "a", attempt: 1, entries, sends: ids.map(calling), outbox: told },
        ...ids.map(emitting),
        ...ids.map((id): Write => ({ kind: "pause-workflow", workflow: id, note: "1" })),
      ],
      lease: { worker, batch: 1 },
    });
    return store.dump();
  };
  const dump = await history(["b", "c"]);
  expect(await history(["c", "b"])).toEqual(dump);
  expect(JSON.parse(JSON.stringify(dump))).toEqual(dump);
  expect(dump).toMatchObject({
    runs: [{ id: "a" }, { id: "b", parent: { runId: "a", called: true } }, { id: "c" }],
    workflows: [{ name: "order", version: "1" }],
    pauses: [{ workflow: "b" }, { workflow: "c" }],
    events: [{ id: "b", runs: [] }, { id: "c" }],
    purged: [{ id: "over", workflow: "order" }],
    waiters: [
      { for: "b", runId: "a", key: "b" },
      { for: "c", runId: "a", key: "c" },
    ],
    outbox: [{ no: 1, id: "1", text: "told" }],
  });
});

test("S13: a transaction whose event was emitted by another one meanwhile can't be committed", async () => {
  const store = memoryStore();
  const event = { name: "paid", id: "1", payload: "1", codecId: "c", payloadHash: "1", runPrefix: "1/" };
  const tx = store.begin();
  await store.commit({ writes: [{ kind: "emit", event }], tx });
  await store.commit({ writes: [{ kind: "emit", event }] });
  await expect(tx.commit()).rejects.toThrow(StoreUnavailableError);
  expect(await store.events({ limit: 9 })).toHaveLength(1);
});

test("one watcher may be registered twice and stopped once", async () => {
  const clock = virtualClock();
  const store = memoryStore({ clock });
  let heard = 0;
  const listener = (): void => {
    heard++;
  };
  const stop = store.watch(listener);
  store.watch(listener);
  await store.commit({ writes: [start("a")] });
  await clock.advance(0);
  expect(heard).toBe(2);
  stop();
  await store.commit({ writes: [start("b")] });
  await clock.advance(0);
  expect(heard).toBe(3);
});
