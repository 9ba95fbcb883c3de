import assert from "node:assert/strict";
import { StoreError } from "../../errors.ts";
import { type Cases, kinds } from "./bench.ts";
import { advance, emit, EVENT, park, signal, spec, start } from "./writes.ts";

export const transactions: Cases = {
  "S1: what is written with `tx` is seen by nobody before its commit, and by all after": async (bench) => {
    const open = await bench.beginTx();
    const second = await bench.second();
    assert.deepEqual(kinds(await bench.store.commit({ writes: [start("a")], tx: open.tx })), ["created"]);
    assert.equal(await second.read("a"), undefined);
    assert.equal(await second.count({}), 0);
    await open.commit();
    assert.equal((await bench.read("a", second)).run.id, "a");
    assert.deepEqual(await (await bench.join()).claimIds(), ["a"]);
  },

  "S1: what is written with `tx` is gone with its rollback": async (bench) => {
    await bench.commit(start("old"));
    const open = await bench.beginTx();
    const writes = [start("a"), signal("old", "1"), signal("a", "2")];
    assert.deepEqual(kinds(await bench.store.commit({ writes, tx: open.tx })), ["created", "done", "done"]);
    await open.rollback();
    assert.equal(await bench.store.read("a"), undefined);
    const { run, messages } = await bench.read("old");
    assert.deepEqual([run.inbox, messages], [0, []]);
    assert.deepEqual(kinds(await bench.commit(start("a"), signal("old", "1"))), ["created", "done"]);
  },

  "S1 S13: an event that is emitted with `tx` is gone with its rollback, and there with its commit": async (
    bench,
  ) => {
    await bench.join({ workflows: [spec("mail", "1", { on: EVENT })] });
    const rolledBack = await bench.beginTx();
    const writes = [emit("e"), emit("e")];
    const runs = [`${EVENT}/e/mail`];
    const emitted = [
      { is: "emitted", runs, again: false },
      { is: "emitted", runs, again: true },
    ];
    assert.deepEqual(await bench.store.commit({ writes, tx: rolledBack.tx }), emitted);
    await rolledBack.rollback();
    assert.deepEqual([await bench.store.events({ limit: 9 }), await bench.store.count({})], [[], 0]);
    const committed = await bench.beginTx();
    assert.deepEqual(await bench.store.commit({ writes, tx: committed.tx }), emitted);
    await committed.commit();
    assert.deepEqual((await bench.store.events({ limit: 9 })).length, 1);
    assert.equal(await bench.store.count({ ids: runs }), 1);
  },

  "S1: a transaction sees its own writes": async (bench) => {
    const open = await bench.beginTx();
    await bench.store.commit({ writes: [start("a")], tx: open.tx });
    const writes = [
      start("a"),
      start("a", { input: "2" }),
      signal("a", "1"),
      signal("a", "1"),
      signal("b", "1"),
    ];
    const outcomes = await bench.store.commit({ writes, tx: open.tx });
    assert.deepEqual(kinds(outcomes), ["exists", "conflict", "done", "duplicate", "not-found"]);
    await open.commit();
    assert.equal((await bench.read("a")).run.inbox, 1);
  },

  "S6: a message given with `tx` wakes its run when the transaction commits": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: park(0) }));
    const open = await bench.beginTx();
    await bench.store.commit({ writes: [signal("a", "1")], tx: open.tx });
    await open.commit();
    const { claims } = await worker.claim();
    assert.deepEqual(
      claims.map(({ run, messages }) => [run.id, messages.map(({ id }) => id)]),
      [["a", ["1"]]],
    );
  },

  "S5: a batch with `tx` has no lease: what it starts is never born claimed": async (bench) => {
    const worker = await bench.join();
    const open = await bench.beginTx();
    const batch = {
      writes: [start("a", { claim: true })],
      lease: { worker: worker.id, batch: 1 },
      tx: open.tx,
    };
    // A synchronous driver throws at once, for the caller's transaction to roll back.
    const commit = async (): Promise<unknown> => await bench.store.commit(batch);
    await assert.rejects(commit, (error) => error instanceof StoreError);
    await open.commit();
    assert.equal(await bench.store.read("a"), undefined);
    assert.deepEqual(kinds(await worker.commit(start("a"))), ["created"], "its number is not used up");
  },

  "F32: `onOutcomes` is told what `commit` answers, before it does": async (bench) => {
    const told: unknown[] = [];
    const onOutcomes = (outcomes: unknown): unknown => told.push(outcomes);
    assert.deepEqual(await bench.store.commit({ writes: [start("a")], onOutcomes }), told[0]);
    const open = await bench.beginTx();
    assert.deepEqual(await bench.store.commit({ writes: [start("b")], tx: open.tx, onOutcomes }), told[1]);
    await open.commit();
    assert.equal(told.length, 2);
  },
};
