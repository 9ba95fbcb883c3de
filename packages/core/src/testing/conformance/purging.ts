/** A purged run is gone with all that it called; its id is not. */
import assert from "node:assert/strict";
import { type Bench, type Cases, type Hand, kinds } from "./bench.ts";
import {
  advance,
  emit,
  end,
  entries,
  entry,
  importing,
  park,
  purge,
  resume,
  retry,
  sendStart,
  signal,
  start,
  stick,
} from "./writes.ts";

const DAY_MS = 86_400_000;

/** `a` called `b`, which called `c`, and started `d`. All are owned. */
async function family(bench: Bench): Promise<Hand> {
  const worker = await bench.join();
  await worker.bear("a");
  const calls = [sendStart(1, "b", { awaited: true }), sendStart(2, "d")];
  await worker.commit(advance({ runId: "a", attempt: 1 }, { entries: entries(1, 2, "call"), sends: calls }));
  await worker.claim();
  const call = [sendStart(1, "c", { awaited: true })];
  await worker.commit(advance({ runId: "b", attempt: 1 }, { entries: entries(1, 1, "call"), sends: call }));
  await worker.claim();
  return worker;
}

async function endRuns(worker: Hand, ...ids: readonly string[]): Promise<void> {
  const writes = ids.map((runId) => advance({ runId, attempt: 1 }, { then: end() }));
  assert.deepEqual(new Set(kinds(await worker.commit(...writes))), new Set(["done"]));
}

async function idsLeft(bench: Bench): Promise<string[]> {
  return (await bench.store.list({}, { limit: 100 })).runs.map(({ id }) => id).toSorted();
}

export const purging: Cases = {
  "a purged run is gone, and its id stays taken": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(signal("a", "1"));
    const tags = { city: "Lisbon" };
    await worker.commit(advance(run, { entries: [entry(1)], retries: [retry("x")], tags, then: end() }));
    assert.deepEqual(await bench.commit(purge("a")), [{ is: "done" }]);
    assert.equal(await bench.store.read("a"), undefined);
    for (const filter of [{}, { ids: ["a"] }, { tag: tags }, { status: "completed" }] as const)
      assert.equal(await bench.store.count(filter), 0);
    assert.deepEqual(await bench.commit(signal("a", "1"), resume("a"), purge("a")), [
      { is: "not-found" },
      { is: "not-found" },
      { is: "not-found" },
    ]);
    const again = [start("a"), start("a", { version: null }), start("a", { input: "2" }), importing("a")];
    assert.deepEqual(await bench.commit(...again, start("a", { workflow: "refund" })), [
      { is: "exists" },
      { is: "exists" },
      { is: "conflict", workflow: "order" },
      { is: "conflict", workflow: "order" },
      { is: "conflict", workflow: "order" },
    ]);
    // Each a batch by itself, for which a store may have a shorter way.
    assert.deepEqual(await worker.commit(start("a", { claim: true })), [{ is: "exists" }]);
    assert.deepEqual(await worker.commit(start("a", { claim: true, input: "2" })), [
      { is: "conflict", workflow: "order" },
    ]);
    assert.deepEqual(await idsLeft(bench), []);
  },

  "S8: only what has ended is purged": async (bench) => {
    const worker = await bench.join();
    await worker.bear("running", "waiting", "stuck");
    await worker.commit(
      advance({ runId: "waiting", attempt: 1 }, { then: park(0) }),
      advance({ runId: "stuck", attempt: 1 }, { then: stick() }),
    );
    await bench.commit(start("ready"));
    for (const status of ["running", "waiting", "stuck", "ready"] as const)
      assert.deepEqual(await bench.commit(purge(status)), [{ is: "wrong-state", status }]);
    assert.deepEqual(await bench.commit(purge("nobody")), [{ is: "not-found" }]);
    assert.equal((await idsLeft(bench)).length, 4);
  },

  "a run goes with all that it called, and leaves what it started": async (bench) => {
    const worker = await family(bench);
    await endRuns(worker, "c", "b", "a", "d");
    assert.deepEqual(await bench.commit(purge("a")), [{ is: "done" }]);
    assert.deepEqual(await idsLeft(bench), ["d"]);
    assert.deepEqual(kinds(await bench.commit(start("b"), start("c"), start("d"))), [
      "exists",
      "exists",
      "exists",
    ]);
    assert.deepEqual(await bench.commit(purge("d")), [{ is: "done" }]);
  },

  "S8: a run stays as long as anything that it called has not ended": async (bench) => {
    const worker = await family(bench);
    await endRuns(worker, "b", "a");
    assert.deepEqual(await bench.commit(purge("a")), [{ is: "wrong-state", status: "completed" }]);
    assert.deepEqual(await idsLeft(bench), ["a", "b", "c", "d"]);
    await endRuns(worker, "c");
    assert.deepEqual(await bench.commit(purge("a")), [{ is: "done" }]);
  },

  "S12: a run that was called stays as long as the one that called it has not ended": async (bench) => {
    const worker = await family(bench);
    await endRuns(worker, "c", "b", "d");
    assert.deepEqual(await bench.commit(purge("b"), purge("d")), [
      { is: "wrong-state", status: "completed" },
      { is: "done" },
    ]);
    await endRuns(worker, "a");
    assert.deepEqual(await bench.commit(purge("b")), [{ is: "done" }]);
    assert.deepEqual(await idsLeft(bench), ["a"]);
  },

  "S12: what a purged run waited for ends as ever": async (bench) => {
    const worker = await bench.join();
    await worker.bear("other", "a");
    const sends = [sendStart(1, "other", { awaited: true })];
    const wait = advance({ runId: "a", attempt: 1 }, { entries: entries(1, 1, "call"), sends });
    assert.deepEqual(kinds(await worker.commit(wait)), ["done"]);
    await endRuns(worker, "a");
    assert.deepEqual(await bench.commit(purge("a")), [{ is: "done" }]);
    await endRuns(worker, "other");
    assert.equal(await bench.statusOf("other"), "completed");
    assert.deepEqual(await idsLeft(bench), ["other"]);
  },

  "S1: runs that are purged in one batch": async (bench) => {
    const worker = await bench.join();
    const ids = Array.from({ length: 40 }, (_, index) => `run-${index}`);
    await worker.bear(...ids, "alive");
    await endRuns(worker, ...ids);
    const outcomes = await bench.commit(...ids.map(purge), purge("alive"), purge("run-0"));
    assert.deepEqual(kinds(outcomes), [...ids.map(() => "done"), "wrong-state", "not-found"]);
    assert.deepEqual(await idsLeft(bench), ["alive"]);
  },

  "S9 S13: ids and events are remembered for 90 days, and not for ever": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a", "b", "c");
    await endRuns(worker, "a", "b", "c");
    await bench.commit(emit("e"), purge("a"));
    await bench.travel(90 * DAY_MS);
    await bench.commit(purge("b"));
    assert.deepEqual(kinds(await bench.commit(start("a"), emit("e"))), ["exists", "emitted"]);
    await bench.travel(1);
    await bench.commit(purge("c"));
    const [started, emitted, young] = await bench.commit(start("a"), emit("e"), start("b"));
    assert.deepEqual([started?.is, young?.is], ["created", "exists"]);
    assert.deepEqual(emitted, { is: "emitted", runs: [], again: false });
    assert.deepEqual(
      (await bench.store.events({ limit: 9 })).map(({ id }) => id),
      ["e"],
    );
  },
};
