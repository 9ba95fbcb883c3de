import assert from "node:assert/strict";
import type { AdvanceWrite } from "../../store.ts";
import { type Bench, type Cases, type Hand, kinds } from "./bench.ts";
import {
  advance,
  cancel,
  end,
  entry,
  LONG_AGO,
  type OwnedRun,
  park,
  RELEASE,
  retry,
  signal,
  start,
  stick,
  written,
} from "./writes.ts";

/** Everything that an owner can do to its run. */
function everyAdvance(run: OwnedRun): AdvanceWrite[] {
  return [
    advance(run),
    advance(run, { entries: [entry(1)] }),
    advance(run, { tags: { late: "yes" }, phase: "closing" }),
    advance(run, { retries: [retry("x")] }),
    advance(run, { progressed: true, alone: true }),
    advance(run, { then: park(0) }),
    advance(run, { then: RELEASE }),
    advance(run, { then: stick() }),
    advance(run, { then: end() }),
  ];
}

async function changesNothing(bench: Bench, runId: string, act: () => Promise<void>): Promise<void> {
  const { now: _, ...before } = await bench.read(runId);
  await act();
  const { now: __, ...after } = await bench.read(runId);
  assert.deepEqual(after, before);
}

async function isFenced(worker: Hand, run: OwnedRun): Promise<void> {
  for (const write of everyAdvance(run)) assert.deepEqual(await worker.commit(write), [{ is: "fenced" }]);
}

export const fence: Cases = {
  "S3 F63: what a worker writes after its lease was taken over changes nothing, however late": async (
    bench,
  ) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    const heir = await bench.outlive(worker);
    await changesNothing(bench, "a", () => isFenced(worker, run));
    await heir.own("a");
    await changesNothing(bench, "a", () => isFenced(worker, run));
  },

  "S3 F63: the new owner writes on where the old one was stopped": async (bench) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    await worker.commit(advance(run, { entries: [entry(1)] }));
    const heir = await bench.outlive(worker);
    const taken = await heir.own("a");
    const late = entry(2, { value: '"of the dead"' });
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [late] }))), ["fenced"]);
    assert.deepEqual(kinds(await heir.commit(advance(taken, { entries: [entry(2)] }))), ["done"]);
    assert.deepEqual((await bench.read("a")).journal, [written(entry(1)), written(entry(2), 2)]);
  },

  "S3: what clients asked for in a fenced batch happens all the same": async (bench) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    await bench.outlive(worker);
    await bench.commit(start("b"));
    const outcomes = await worker.commit(
      advance(run, { entries: [entry(1)] }),
      start("c"),
      start("d", { claim: true }),
      signal("b", "1"),
      { kind: "leave" },
      cancel("nobody", "1"),
    );
    assert.deepEqual(kinds(outcomes), ["fenced", "created", "created", "done", "fenced", "not-found"]);
    assert.deepEqual((await bench.read("a")).journal, []);
    assert.deepEqual([(await bench.read("b")).run.inbox, (await bench.read("d")).run.owner], [1, null]);
  },

  "S4 F63: a worker that is alive cannot write to another's run": async (bench) => {
    const [owner, other] = [await bench.join(), await bench.join()];
    const run = await owner.bear("a");
    await changesNothing(bench, "a", () => isFenced(other, run));
  },

  "S4 F63: an attempt that is over cannot be written under, not even by the same worker": async (bench) => {
    const worker = await bench.join();
    const first = await worker.bear("a");
    await worker.commit(advance(first, { then: RELEASE }));
    await changesNothing(bench, "a", () => isFenced(worker, first));
    const second = await worker.own("a");
    assert.ok(second.attempt > first.attempt, "S5: a new, greater attempt");
    await changesNothing(bench, "a", () => isFenced(worker, first));
    assert.deepEqual(kinds(await worker.commit(advance(second, { entries: [entry(1)] }))), ["done"]);
  },

  "S4: an attempt that nobody claimed yet cannot be written under": async (bench) => {
    const worker = await bench.join();
    const { runId, attempt } = await worker.bear("a");
    await changesNothing(bench, "a", () => isFenced(worker, { runId, attempt: attempt + 1 }));
  },

  "S4: a run that nobody owns, or that is not there, is fenced": async (bench) => {
    const worker = await bench.join();
    await bench.commit(start("a"));
    await changesNothing(bench, "a", () => isFenced(worker, { runId: "a", attempt: 0 }));
    await isFenced(worker, { runId: "nobody", attempt: 1 });
    assert.equal(await bench.store.read("nobody"), undefined);
  },

  "S4: after its owner let go of a run, later writes of the same batch are fenced": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const outcomes = await worker.commit(
      advance(run, { then: park(0) }),
      advance(run, { entries: [entry(1)] }),
    );
    assert.deepEqual(kinds(outcomes), ["done", "fenced"]);
    assert.deepEqual((await bench.read("a")).journal, []);
  },

  "S3: a fenced write does not stop the others of its batch": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const stale = { runId: "a", attempt: 7 };
    const outcomes = await worker.commit(
      advance(stale, { then: end() }),
      advance(run, { entries: [entry(1)] }),
    );
    assert.deepEqual(kinds(outcomes), ["fenced", "done"]);
  },

  "S3 F67: a lease that was taken over cannot be renewed": async (bench) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    await bench.outlive(worker);
    assert.equal((await worker.renew()).live, false);
    assert.equal((await worker.renew()).live, false);
    assert.deepEqual(kinds(await worker.commit(advance(run))), ["fenced"]);
  },

  "S3 F65: a worker that was taken over claims nothing": async (bench) => {
    const worker = await bench.joinMortal();
    await worker.bear("a");
    const heir = await bench.outlive(worker);
    await bench.commit(start("b", { due: { at: LONG_AGO } }));
    const answer = await worker.claim().catch(() => ({ claims: [] }));
    assert.deepEqual(answer.claims, []);
    assert.deepEqual((await heir.claimIds()).toSorted(), ["a", "b"]);
  },

  "S5 F69 F77: no two workers have one id, also when the first is gone": async (bench) => {
    const second = await bench.second();
    const ids = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const workers = await Promise.all([bench.join(), bench.join({}, second), bench.joinMortal()]);
      for (const worker of workers) ids.add(worker.id);
      await Promise.all(workers.slice(0, 2).map((worker) => worker.commit({ kind: "leave" })));
    }
    assert.equal(ids.size, 9);
  },
};
