/** Runs of a paused workflow are not claimed; all else of them goes on. */
import assert from "node:assert/strict";
import type { Bench, Cases } from "./bench.ts";
import { advance, entry, ORDER, pauseWorkflow, RELEASE, spec, start } from "./writes.ts";

const BOTH = [ORDER, spec("refund")];

async function pausesOf(bench: Bench): Promise<unknown[]> {
  return (await bench.store.workflows()).map(({ name, version, paused }) => [name, version, paused?.note]);
}

export const pausingWorkflows: Cases = {
  "S5: runs of a paused workflow are not claimed until it is resumed": async (bench) => {
    const worker = await bench.join({ workflows: BOTH });
    await bench.commit(start("a"), start("b", { workflow: "refund" }));
    assert.deepEqual(await bench.commit(pauseWorkflow("order")), [{ is: "done" }]);
    const { claims, nextDueAt, paused } = await worker.claim({ workflows: BOTH });
    assert.deepEqual([claims.map(({ run }) => run.id), nextDueAt, paused], [["b"], null, ["order"]]);
    assert.equal(await bench.statusOf("a"), "ready");
    assert.deepEqual(await bench.commit(pauseWorkflow("order", null)), [{ is: "done" }]);
    const after = await worker.claim({ workflows: BOTH });
    assert.deepEqual([after.claims.map(({ run }) => run.id), after.paused], [["a"], []]);
  },

  "S5: a run of it is not born claimed": async (bench) => {
    const worker = await bench.join();
    await bench.commit(pauseWorkflow("order"));
    const [outcome] = await worker.commit(start("a", { claim: true }));
    assert.ok(outcome?.is === "created" && !outcome.claimed);
    assert.equal((await bench.read("a")).run.owner, null);
  },

  "a worker that asks for messages only is told of it, by name, once": async (bench) => {
    const versions = [ORDER, spec("order", "2")];
    const worker = await bench.join({ workflows: [...versions, spec("refund")] });
    await bench.commit(pauseWorkflow("order"), pauseWorkflow("refund"), pauseWorkflow("other"));
    const { paused } = await worker.claim({ limit: 0, workflows: versions });
    assert.deepEqual(paused, ["order"]);
    const both = await worker.claim({ limit: 0, workflows: [...versions, spec("refund")] });
    assert.deepEqual(both.paused.toSorted(), ["order", "refund"]);
  },

  "S5: an owned run of it goes on with its owner, and is claimed no more when it is let go": async (
    bench,
  ) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(pauseWorkflow("order"));
    assert.deepEqual(await worker.commit(advance(run, { entries: [entry(1)] })), [{ is: "done" }]);
    await worker.commit(advance(run, { then: RELEASE }));
    assert.equal((await bench.read("a")).run.paused, null, "it is its workflow that is");
    assert.deepEqual(await worker.claimIds(), []);
  },

  "every version says since when and why, and so does each run": async (bench) => {
    await bench.commit(pauseWorkflow("order", '"first"'), pauseWorkflow("order", '"second"'));
    await bench.join({ workflows: [ORDER, spec("order", "2"), spec("refund")] });
    await bench.commit(start("a"), start("b", { workflow: "refund" }));
    assert.deepEqual(await pausesOf(bench), [
      ["order", "1", '"first"'],
      ["order", "2", '"first"'],
      ["refund", "1", undefined],
    ]);
    const { workflowPaused, now } = await bench.read("a");
    assert.equal(workflowPaused?.note, '"first"');
    assert.ok(Number.isInteger(workflowPaused.at) && workflowPaused.at <= now, "by the store's clock");
    assert.equal((await bench.read("b")).workflowPaused, null);
    await bench.commit(pauseWorkflow("order", null), pauseWorkflow("refund", null));
    assert.equal((await bench.read("a")).workflowPaused, null);
  },
};
