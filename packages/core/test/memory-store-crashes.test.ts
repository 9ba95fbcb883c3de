import { expect, test } from "vitest";
import { type Batch, type StartWrite, StoreUnavailableError, type TransactRequest } from "../src/index.ts";
import {
  crashStore,
  type MemoryStore,
  memoryStore,
  type MemoryTx,
  recordCalls,
  virtualClock,
} from "../src/testing/index.ts";

const workflows = [{ name: "order", version: "1", on: null, priority: 0, timeoutMs: null }];

function start(id: string, claim = false): StartWrite {
  const run = {
    id,
    workflow: "order",
    version: "1",
    input: "1",
    inputHash: "1",
    priority: 0,
    tags: {},
    timeoutMs: null,
  };
  return { kind: "start", run, claim };
}

const starting = (id: string): Batch<MemoryTx> => ({ writes: [start(id)] });

/** Whether it settles, when everything that can happen has happened. */
async function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

async function ownedRun(store: MemoryStore): Promise<number> {
  const { worker } = await store.join({ workflows, leaseMs: 1_000, host: "here", pid: 1 });
  await store.commit({ writes: [start("a", true)], lease: { worker, batch: 1 } });
  return worker;
}

function transacting(worker: number, body: (tx: MemoryTx) => unknown): TransactRequest<MemoryTx, unknown> {
  const settle = () => ({ entry: { seq: 1, kind: "step", key: "x", at: 1 } as const, settled: [] });
  return { worker, runId: "a", attempt: 1, body, settle };
}

test("before: the call never reaches the store, and is never answered", async () => {
  const store = memoryStore();
  const deaths: string[] = [];
  const crash = crashStore(store, { at: 2, when: "before", onCrash: () => deaths.push("now") });
  await crash.commit(starting("a"));
  expect([crash.dead, deaths]).toEqual([false, []]);
  expect(await settles(crash.commit(starting("b")))).toBe(false);
  expect([crash.dead, deaths]).toEqual([true, ["now"]]);
  expect(await store.read("b")).toBeUndefined();
});

test("after: the store does it, and the answer never arrives, nor do its outcomes", async () => {
  const store = memoryStore();
  const told: unknown[] = [];
  const crash = crashStore(store, { at: 1, when: "after" });
  const batch = { ...starting("a"), onOutcomes: (outcomes: unknown) => told.push(outcomes) };
  expect(await settles(crash.commit(batch))).toBe(false);
  expect(crash.dead).toBe(true);
  expect((await store.read("a"))?.run.id).toBe("a");
  expect(told).toEqual([]);
});

for (const applied of [true, false]) {
  test(`instead: the answer is lost, the work is ${applied ? "done" : "not done"}, and the process lives`, async () => {
    const store = memoryStore();
    const crash = crashStore(store, { at: 1, when: "instead", applied });
    await expect(crash.commit(starting("a"))).rejects.toThrow(StoreUnavailableError);
    expect((await store.read("a")) !== undefined).toBe(applied);
    expect(crash.dead).toBe(false);
    expect((await crash.commit(starting("a")))[0]?.is).toBe(applied ? "exists" : "created");
  });
}

test("the dead get no answer to anything, also not to what they asked before", async () => {
  const store = memoryStore();
  const crash = recordCalls(store);
  const asked = crash.commit(starting("a"));
  crash.kill();
  expect(await settles(asked)).toBe(false);
  expect(await store.count({})).toBe(1);
  const late: Promise<unknown>[] = [
    crash.commit(starting("b")),
    crash.claim({ worker: 1, limit: 1, workflows, except: [], inboxes: [] }),
    crash.join({ workflows, leaseMs: 1, host: "", pid: 1 }),
    crash.renew({ worker: 1, now: 0, expiresAt: 0 }),
    crash.transact(transacting(1, () => 1)),
    crash.read("a"),
    crash.list({}, { limit: 1 }),
    crash.count({}),
    crash.close(),
  ];
  expect(await settles(Promise.race(late))).toBe(false);
  expect(await store.count({})).toBe(1);
  expect(store.dump().workers).toEqual([]);
});

test("the dead hear no hints", async () => {
  const clock = virtualClock();
  const store = memoryStore({ clock });
  const crash = recordCalls(store);
  let heard = 0;
  crash.watch(() => heard++);
  await store.commit(starting("a"));
  await clock.advance(0);
  expect(heard).toBe(1);
  crash.kill();
  await store.commit(starting("b"));
  await clock.advance(0);
  expect(heard).toBe(1);
});

test("a process that dies dies once", async () => {
  let deaths = 0;
  const crash = crashStore(memoryStore(), { at: 1, when: "before", onCrash: () => deaths++ });
  crash.kill();
  crash.kill();
  void crash.commit(starting("a")).catch(() => {});
  expect(deaths).toBe(1);
});

test("calls are counted and named, reads are not", async () => {
  const store = memoryStore();
  const crash = recordCalls(store);
  const { worker } = await crash.join({ workflows, leaseMs: 1_000, host: "", pid: 1 });
  const writes = [
    start("a", true),
    { kind: "message", runId: "a", message: { type: "signal", id: "1", name: "go", payload: "1" } },
    { kind: "operate", runId: "a", operation: "resume", id: "1", value: "1" },
    {
      kind: "advance",
      runId: "a",
      attempt: 1,
      entries: [{ seq: 1, kind: "step", key: "x", at: 1 }],
      then: { do: "release" },
    },
  ] as const;
  await crash.commit({ writes, lease: { worker, batch: 1 } });
  await crash.claim({ worker, limit: 3, workflows, except: [], inboxes: [] });
  await crash.read("a");
  await crash.count({});
  await crash.renew({ worker, now: 0, expiresAt: 0 });
  await crash.commit({ writes: [{ kind: "leave" }], lease: { worker, batch: 2 } });
  expect(crash.calls).toEqual([
    "join()",
    "commit(start a, signal a, resume a, advance a [step] then release)",
    "claim(3)",
    `renew(${worker})`,
    "commit(leave)",
  ]);
});

test("a body whose process dies while it runs keeps nothing", async () => {
  const store = memoryStore();
  const worker = await ownedRun(store);
  const crash = recordCalls(store);
  let finish: (() => void) | undefined;
  const transaction = crash.transact(
    transacting(worker, async (tx) => {
      await store.commit({ ...starting("b"), tx });
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    }),
  );
  expect(await settles(transaction)).toBe(false);
  crash.kill();
  expect(await settles(transaction)).toBe(false);
  finish?.();
  expect(await settles(transaction)).toBe(false);
  expect(await store.read("b")).toBeUndefined();
  expect((await store.read("a"))?.journal).toEqual([]);
});

test("a transaction whose commit got lost has run its body, and kept nothing", async () => {
  const store = memoryStore();
  const worker = await ownedRun(store);
  const crash = crashStore(store, { at: 1, when: "instead", applied: false });
  let ran = 0;
  const body = (tx: MemoryTx): Promise<unknown> => {
    ran++;
    return store.commit({ ...starting("b"), tx });
  };
  await expect(crash.transact(transacting(worker, body))).rejects.toThrow(StoreUnavailableError);
  expect([ran, await store.read("b")]).toEqual([1, undefined]);
  expect(await crash.transact(transacting(worker, body))).toEqual({ is: "done" });
  expect([ran, (await store.read("b"))?.run.id]).toEqual([2, "b"]);
});
