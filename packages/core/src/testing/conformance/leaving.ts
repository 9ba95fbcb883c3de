import assert from "node:assert/strict";
import { type Cases, kinds } from "./bench.ts";
import { advance, end, entry, park, signal, start } from "./writes.ts";

export const leaving: Cases = {
  "F17: the runs of a worker that leaves are due at once, without a strike": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a", "b");
    const outcomes = await worker.commit(advance(run, { entries: [entry(1)], alone: true }), {
      kind: "leave",
    });
    assert.deepEqual(kinds(outcomes), ["done", "done"]);
    for (const id of ["a", "b"]) {
      const { run, now } = await bench.read(id);
      assert.deepEqual([run.owner, run.strikes, run.strikesAlone], [null, 0, 0]);
      assert.ok(run.dueAt !== null && run.dueAt <= now, "due now");
    }
    assert.deepEqual((await (await bench.join()).claimIds()).toSorted(), ["a", "b"]);
  },

  "S3: a worker that left is as gone as one that died": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit({ kind: "leave" });
    const late = await worker.commit(
      advance(run, { entries: [entry(1)] }),
      start("b", { claim: true }),
      signal("a", "1"),
      { kind: "leave" },
    );
    assert.deepEqual(kinds(late), ["fenced", "created", "done", "fenced"]);
    assert.equal((await bench.read("b")).run.owner, null);
    assert.equal((await worker.renew()).live, false);
    const answer = await worker.claim().catch(() => ({ claims: [] }));
    assert.deepEqual(answer.claims, []);
  },

  "S3: writes behind the `leave` of their own batch are fenced": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const outcomes = await worker.commit(
      { kind: "leave" },
      advance(run, { then: end() }),
      start("b", { claim: true }),
    );
    assert.deepEqual(kinds(outcomes), ["done", "fenced", "created"]);
    assert.deepEqual([(await bench.read("a")).run.end, (await bench.read("b")).run.owner], [null, null]);
  },

  "F17: nobody takes over a worker that left": async (bench) => {
    const worker = await bench.joinMortal();
    await worker.bear("a");
    await worker.commit({ kind: "leave" });
    const other = await bench.join();
    await bench.pass(201);
    assert.equal((await other.renew()).reaped, 0);
    assert.equal((await bench.read("a")).run.strikes, 0);
  },

  "F17: what a leaving worker does not own is left alone": async (bench) => {
    const [worker, other] = [await bench.join(), await bench.join()];
    await worker.bear("parked", "ended");
    await other.bear("others");
    await worker.commit(
      advance({ runId: "parked", attempt: 1 }, { then: park(0) }),
      advance({ runId: "ended", attempt: 1 }, { then: end() }),
    );
    const ids = ["parked", "ended", "others"];
    const before = await Promise.all(ids.map(async (id) => (await bench.read(id)).run));
    await worker.commit({ kind: "leave" });
    assert.deepEqual(await Promise.all(ids.map(async (id) => (await bench.read(id)).run)), before);
  },
};
