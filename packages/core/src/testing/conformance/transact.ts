import assert from "node:assert/strict";
import type { NewEntry } from "../../store.ts";
import type { Cases, Hand } from "./bench.ts";
import { advance, entry, type OwnedRun, park, RELEASE, retry, signal, start, written } from "./writes.ts";

/** A request whose body writes `start("made")`. */
function request(worker: Hand, run: OwnedRun, body: (tx: unknown) => unknown, seq = 1) {
  const settle = (): { entry: NewEntry; settled: readonly string[] } => ({
    entry: entry(seq),
    settled: ["step-1"],
  });
  return { worker: worker.id, ...run, body, settle };
}

export const transact: Cases = {
  "P4 S4: the body's writes and the entry commit together": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { retries: [retry("step-1"), retry("other")] }));
    const answer = await bench.store.transact(request(worker, run, bench.writing(start("made"))));
    assert.deepEqual(answer, { is: "done" });
    const { journal, retries } = await bench.read("a");
    assert.deepEqual(journal, [written(entry(1))]);
    assert.deepEqual(
      retries.map(({ key }) => key),
      ["other"],
      "the retry row of the settled step is gone",
    );
    assert.equal((await bench.read("made")).run.id, "made");
    assert.deepEqual(await worker.commit(advance(run, { entries: [entry(2)] })), [{ is: "done" }]);
  },

  "P4: `settle` is given what the body returned": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const settle = (value: number) => ({ entry: entry(1, { value: JSON.stringify(value) }), settled: [] });
    await bench.store.transact({ worker: worker.id, ...run, body: () => 42, settle });
    assert.equal((await bench.read("a")).journal[0]?.value, "42");
  },

  "P4: a body that throws keeps nothing, and its error comes out as it is": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const error = new Error("declined");
    const write = bench.writing(start("made"));
    const body = (tx: unknown): unknown => {
      const done = write(tx);
      if (done instanceof Promise) return done.then(() => Promise.reject(error));
      throw error;
    };
    await assert.rejects(bench.store.transact(request(worker, run, body)), (thrown) => thrown === error);
    assert.equal(await bench.store.read("made"), undefined);
    assert.deepEqual((await bench.read("a")).journal, []);
  },

  "P4: a `settle` that throws keeps nothing": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const error = new Error("not serializable");
    const settle = (): never => {
      throw error;
    };
    const asked = { worker: worker.id, ...run, body: bench.writing(start("made")), settle };
    await assert.rejects(bench.store.transact(asked), (thrown) => thrown === error);
    assert.equal(await bench.store.read("made"), undefined);
    assert.deepEqual(await worker.commit(advance(run, { entries: [entry(1)] })), [{ is: "done" }]);
  },

  "S3 F63: of a worker that was taken over it keeps nothing": async (bench) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    await bench.outlive(worker);
    const answer = await bench.store.transact(request(worker, run, bench.writing(start("made"))));
    assert.deepEqual(answer, { is: "fenced" });
    assert.equal(await bench.store.read("made"), undefined);
    assert.deepEqual((await bench.read("a")).journal, []);
  },

  "S4 F63: under an attempt that is over it keeps nothing": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { then: RELEASE }));
    const body = bench.writing(start("made"));
    assert.deepEqual(await bench.store.transact(request(worker, run, body)), { is: "fenced" });
    const again = await worker.own("a");
    assert.deepEqual(await bench.store.transact(request(worker, run, body)), { is: "fenced" });
    assert.equal(await bench.store.read("made"), undefined);
    assert.deepEqual(await bench.store.transact(request(worker, again, body)), { is: "done" });
  },

  "S4: an entry that does not continue the journal is an error, and nothing is kept": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await assert.rejects(bench.store.transact(request(worker, run, bench.writing(start("made")), 2)));
    assert.equal(await bench.store.read("made"), undefined);
    assert.deepEqual((await bench.read("a")).journal, []);
  },

  "S6: a body can send a message to its own run": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.store.transact(request(worker, run, bench.writing(signal("a", "1"))));
    const [outcome] = await worker.commit(advance(run, { then: park(0) }));
    assert.deepEqual(outcome, { is: "inbox-changed" });
  },
};
