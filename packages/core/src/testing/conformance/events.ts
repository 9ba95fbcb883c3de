/** An event starts one run of each workflow that listens, once (S13). */
import assert from "node:assert/strict";
import type { WorkflowSpec } from "../../store.ts";
import { type Bench, type Cases, kinds } from "./bench.ts";
import { advance, emit, end, EVENT, ORDER, pauseWorkflow, purge, spec, start } from "./writes.ts";

const listening = (name: string, version = "1", given: Partial<WorkflowSpec> = {}): WorkflowSpec =>
  spec(name, version, { on: EVENT, ...given });

const runOf = (event: string, workflow: string): string => `${EVENT}/${event}/${workflow}`;

/** A worker told of these, and is gone. */
async function tell(bench: Bench, ...workflows: readonly WorkflowSpec[]): Promise<void> {
  const worker = await bench.join({ workflows });
  await worker.commit({ kind: "leave" });
}

export const events: Cases = {
  "S13: an event starts one run of each workflow that listens, for it to begin with": async (bench) => {
    const listeners = [listening("mail", "7", { priority: 3, timeoutMs: 9_000 }), listening("book")];
    const worker = await bench.join({
      workflows: [ORDER, spec("other", "1", { on: "other" }), ...listeners],
    });
    const runs = [runOf("e", "book"), runOf("e", "mail")];
    assert.deepEqual(await bench.commit(emit("e")), [{ is: "emitted", runs, again: false }]);
    assert.equal(await bench.store.count({}), 2);
    const { run, now } = await bench.read(runOf("e", "mail"));
    assert.deepEqual(
      [run.workflow, run.version, run.priority, run.timeoutMs, run.input],
      ["mail", "7", 3, 9_000, '{"cart":7}'],
    );
    assert.deepEqual([run.parent, run.event, run.raw, { ...run.tags }], [null, "event e", true, {}]);
    assert.deepEqual([run.phase, run.attempt, run.owner], ["forward", 0, null]);
    assert.ok(run.dueAt !== null && run.dueAt <= now, "due now");
    assert.deepEqual((await worker.claimIds({ workflows: listeners })).toSorted(), runs);
  },

  "S13: also of workflows whose workers are all gone": async (bench) => {
    await tell(bench, listening("mail"));
    assert.deepEqual(await bench.commit(emit("e")), [
      { is: "emitted", runs: [runOf("e", "mail")], again: false },
    ]);
  },

  "S13: an event that nobody listens to starts nothing, also later, and is seen": async (bench) => {
    assert.deepEqual(await bench.commit(emit("e")), [{ is: "emitted", runs: [], again: false }]);
    await tell(bench, listening("mail"));
    assert.deepEqual(await bench.commit(emit("e")), [{ is: "emitted", runs: [], again: true }]);
    assert.equal(await bench.store.count({}), 0);
    const [event] = await bench.store.events({ limit: 9 });
    assert.deepEqual([event?.name, event?.id, event?.runs], [EVENT, "e", 0]);
  },

  "S13 F38: the same event again starts nothing, and answers what it started": async (bench) => {
    await tell(bench, listening("mail"));
    const runs = [runOf("e", "mail")];
    await bench.commit(emit("e"));
    await tell(bench, listening("book"));
    const again = emit("e", { runPrefix: "elsewhere/", codecId: "other" });
    assert.deepEqual(await bench.commit(again), [{ is: "emitted", runs, again: true }]);
    assert.deepEqual(await bench.commit(emit("e", { payload: "other" })), [{ is: "conflict", workflow: "" }]);
    assert.equal(await bench.store.count({}), 1);
    assert.equal((await bench.read(runOf("e", "mail"))).run.event, "event e");
  },

  "S13: events of other names and other ids are other events": async (bench) => {
    await tell(bench, listening("mail"), spec("book", "1", { on: "other" }));
    const outcomes = await bench.commit(emit("e"), emit("f"), emit("e", { name: "other" }));
    assert.deepEqual(outcomes, [
      { is: "emitted", runs: [runOf("e", "mail")], again: false },
      { is: "emitted", runs: [runOf("f", "mail")], again: false },
      { is: "emitted", runs: ["other/e/book"], again: false },
    ]);
  },

  "S13: the same event twice in one batch is one": async (bench) => {
    await tell(bench, listening("mail"));
    const runs = [runOf("e", "mail")];
    assert.deepEqual(await bench.commit(emit("e"), emit("e"), emit("e", { payload: "other" })), [
      { is: "emitted", runs, again: false },
      { is: "emitted", runs, again: true },
      { is: "conflict", workflow: "" },
    ]);
  },

  "S13: only the current version listens": async (bench) => {
    await tell(bench, listening("mail", "1"));
    const newer = await bench.join({ workflows: [spec("mail", "2")] });
    const older = await bench.join({ workflows: [listening("mail", "1")] });
    assert.deepEqual(await bench.commit(emit("1")), [{ is: "emitted", runs: [], again: false }]);
    await newer.commit({ kind: "leave" });
    const runs = [runOf("2", "mail")];
    assert.deepEqual(await bench.commit(emit("2")), [{ is: "emitted", runs, again: false }]);
    assert.equal((await bench.read(runOf("2", "mail"))).run.version, "1");
    await older.commit({ kind: "leave" });
    assert.deepEqual(await bench.commit(emit("3")), [{ is: "emitted", runs: [], again: false }]);
  },

  "S13: a version that listens no more is told of so": async (bench) => {
    await tell(bench, listening("mail"));
    await tell(bench, spec("mail"));
    assert.deepEqual(await bench.commit(emit("e")), [{ is: "emitted", runs: [], again: false }]);
  },

  "S13: an id that is taken stays what it is": async (bench) => {
    await tell(bench, listening("mail"), listening("book"));
    await bench.commit(start(runOf("e", "mail")));
    assert.deepEqual(await bench.commit(emit("e")), [
      { is: "emitted", runs: [runOf("e", "book")], again: false },
    ]);
    assert.equal((await bench.read(runOf("e", "mail"))).run.workflow, "order");
    assert.equal((await bench.store.events({ limit: 1 }))[0]?.runs, 1);
  },

  "S13: runs of an event can be purged, and it starts them no more": async (bench) => {
    const worker = await bench.join({ workflows: [listening("mail")] });
    await bench.commit(emit("e"));
    const { claims } = await worker.claim({ workflows: [listening("mail")] });
    const runs = claims.map(({ run }) => run.id);
    await worker.commit(advance({ runId: runOf("e", "mail"), attempt: 1 }, { then: end() }));
    await bench.commit(purge(runOf("e", "mail")));
    assert.deepEqual(await bench.commit(emit("e")), [{ is: "emitted", runs, again: true }]);
    assert.equal(await bench.store.count({}), 0);
  },

  "S13: an event starts runs of a paused workflow, which wait": async (bench) => {
    const worker = await bench.join({ workflows: [listening("mail")] });
    await bench.commit(pauseWorkflow("mail"), emit("e"));
    assert.equal(await bench.store.count({}), 1);
    assert.deepEqual(await worker.claimIds({ workflows: [listening("mail")] }), []);
  },

  "S13 F122: an event that many processes emit at once is one": async (bench) => {
    const stores = [bench.store, await bench.second()];
    await tell(bench, listening("mail"), listening("book"));
    const tried = Array.from({ length: 20 }, (_, index) =>
      (stores[index % 2] ?? bench.store).commit({ writes: [start(`beside-${index}`), emit("e")] }),
    );
    const outcomes = (await Promise.all(tried)).map(([, emitted]) => emitted);
    assert.deepEqual(new Set(kinds(outcomes.flatMap((outcome) => outcome ?? []))), new Set(["emitted"]));
    const first = outcomes.filter((outcome) => outcome?.is === "emitted" && !outcome.again);
    assert.equal(first.length, 1);
    assert.equal(await bench.store.count({ workflow: "mail" }), 1);
    assert.equal(await bench.store.count({ workflow: "book" }), 1);
  },

  "S9 S13: events are listed newest first, by name if that is asked": async (bench) => {
    await tell(bench, listening("mail"), listening("book"));
    await bench.commit(emit("1"), emit("2", { name: "other" }));
    await bench.commit(emit("3"), emit("1"));
    const { now } = await bench.store.list({}, { limit: 1 });
    const all = await bench.store.events({ limit: 9 });
    assert.deepEqual(
      all.map(({ name, id, runs }) => [name, id, runs]),
      [
        [EVENT, "3", 2],
        ["other", "2", 0],
        [EVENT, "1", 2],
      ],
    );
    assert.ok(all.every(({ at }) => Number.isInteger(at) && at <= now));
    assert.deepEqual(await bench.store.events({ limit: 2 }), all.slice(0, 2));
    assert.deepEqual(
      await bench.store.events({ name: EVENT, limit: 9 }),
      all.filter(({ name }) => name === EVENT),
    );
    assert.deepEqual(await bench.store.events({ name: "nothing", limit: 9 }), []);
  },
};
