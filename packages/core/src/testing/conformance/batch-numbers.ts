import assert from "node:assert/strict";
import { StoreError } from "../../errors.ts";
import { type Bench, type Cases, kinds } from "./bench.ts";
import { advance, end, entry, park, resume, signal, start, stick } from "./writes.ts";

/** The runs as they are stored, without the time of reading. */
async function everything(bench: Bench): Promise<unknown> {
  const { runs } = await bench.store.list({}, { limit: 100, order: "oldest" });
  return await Promise.all(
    runs.map(async ({ id }) => {
      const { now: _, ...details } = await bench.read(id);
      return details;
    }),
  );
}

const isStoreError = (error: unknown): boolean => error instanceof StoreError;

export const batchNumbers: Cases = {
  "S2 F38: a batch that is sent again changes nothing and is answered the same": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a", "b");
    await worker.commit(advance({ runId: "b", attempt: 1 }, { then: stick() }));
    const writes = [
      start("c", { claim: true }),
      start("a"),
      signal("a", "1"),
      signal("nobody", "1"),
      resume("b"),
      advance(run, { entries: [entry(1)] }),
      advance({ runId: "a", attempt: 9 }),
      advance(run, { entries: [entry(9)] }),
      advance(run, { then: park(0) }),
    ];
    const first = await worker.commit(...writes);
    const expected = [
      "created",
      "exists",
      "done",
      "not-found",
      "done",
      "done",
      "fenced",
      "refused",
      "inbox-changed",
    ];
    assert.deepEqual(kinds(first), expected);
    const before = await everything(bench);
    assert.deepEqual(await worker.resend(), first);
    assert.deepEqual(await worker.resend(), first);
    assert.deepEqual(await everything(bench), before);
  },

  "S2 F38: it is the same over another connection": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const writes = [advance(run, { entries: [entry(1)], then: end() }), start("b", { claim: true })];
    const first = await worker.commit(...writes);
    assert.deepEqual(await worker.resend(await bench.second()), first);
    assert.equal((await bench.read("b")).run.attempt, 1);
  },

  "S2 F38: it is the same when the worker was taken over since: what was applied was applied": async (
    bench,
  ) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    const writes = [advance(run, { entries: [entry(1)] }), start("b", { claim: true })];
    const first = await worker.commit(...writes);
    await bench.outlive(worker);
    const before = await everything(bench);
    assert.deepEqual(await worker.resend(), first);
    assert.deepEqual(await everything(bench), before);
  },

  "S2 S3 F38: a batch that came after the takeover is applied once as well": async (bench) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { then: stick() }));
    await bench.outlive(worker);
    const writes = [resume("a"), advance(run), start("b")];
    const first = await worker.commit(...writes);
    assert.deepEqual(kinds(first), ["done", "fenced", "created"]);
    const before = await everything(bench);
    assert.deepEqual(await worker.resend(), first);
    assert.deepEqual(await everything(bench), before);
  },

  "S2: a number that is not the next one is an error, and nothing is applied": async (bench) => {
    const worker = await bench.join();
    await assert.rejects(worker.send(2, [start("x")]), isStoreError);
    await worker.bear("a");
    await worker.commit(start("b"));
    await assert.rejects(worker.send(1, [start("x")]), isStoreError);
    // Each of them is one that a store may have a shorter way for.
    const run = { runId: "a", attempt: 1 };
    for (const write of [
      start("x"),
      start("x", { claim: true }),
      advance(run, { entries: [entry(1)] }),
      advance(run, { entries: [entry(1)], then: end() }),
    ])
      await assert.rejects(worker.send(4, [write]), isStoreError);
    assert.equal(await bench.store.read("x"), undefined);
    const { journal, run: unended } = await bench.read("a");
    assert.deepEqual([journal, unended.end], [[], null]);
    assert.deepEqual(kinds(await worker.send(3, [start("x")])), ["created"]);
  },

  "S2: each worker counts for itself": async (bench) => {
    const [one, two] = [await bench.join(), await bench.join()];
    await one.bear("a");
    await one.bear("b");
    await two.bear("c");
    assert.deepEqual([one.batch, two.batch], [2, 1]);
    assert.equal(await bench.store.count({}), 3);
  },

  "S2: a batch without writes counts, too": async (bench) => {
    const worker = await bench.join();
    assert.deepEqual(await worker.commit(), []);
    await worker.bear("a");
    assert.equal(worker.batch, 2);
  },

  "S3: what needs a lease can't come without one": async (bench) => {
    const run = await (await bench.join()).bear("a");
    for (const write of [advance(run), start("x", { claim: true }), { kind: "leave" } as const]) {
      await assert.rejects(bench.commit(start("y"), write), isStoreError);
    }
    assert.equal(await bench.store.count({}), 1);
  },

  "S3: a lease that nobody ever had is an error": async (bench) => {
    const worker = await bench.join();
    const lease = { worker: worker.id + 1_000, batch: 1 };
    await assert.rejects(bench.store.commit({ writes: [start("x")], lease }), isStoreError);
    assert.equal(await bench.store.read("x"), undefined);
  },
};
