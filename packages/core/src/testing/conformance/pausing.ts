/** A paused run is not claimed until a person resumes it, whatever happens to it meanwhile. */
import assert from "node:assert/strict";
import type { Then } from "../../store.ts";
import { type Bench, type Cases, kinds } from "./bench.ts";
import {
  advance,
  cancel,
  end,
  entry,
  FAR_AWAY,
  HOUR_MS,
  LONG_AGO,
  park,
  pause,
  RELEASE,
  resume,
  signal,
  start,
  stick,
} from "./writes.ts";

/** Not due, and nobody can claim it. */
async function isPaused(bench: Bench, runId: string): Promise<void> {
  const { run } = await bench.read(runId);
  assert.ok(run.paused !== null, `${runId} is paused`);
  assert.deepEqual([run.owner, run.dueAt], [null, null]);
  assert.deepEqual(await (await bench.join()).claimIds(), []);
}

export const pausing: Cases = {
  "S4: a paused run is not claimed, and its journal says who paused and resumed it": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { entries: [entry(1)], then: RELEASE }));
    const [stop, go] = [pause("a", '{"by":"Ana"}'), resume("a", '{"by":"Bo"}')];
    assert.deepEqual(await bench.commit(stop), [{ is: "done" }]);
    await isPaused(bench, "a");
    const { run, now } = await bench.read("a");
    assert.equal(await bench.statusOf("a"), "waiting");
    assert.equal(run.paused?.note, '{"by":"Ana"}');
    assert.ok(run.paused.at >= run.createdAt && run.paused.at <= now, "by the store's clock");
    assert.deepEqual(await bench.commit(go), [{ is: "done" }]);
    const resumed = await bench.read("a");
    assert.equal(resumed.run.paused, null);
    assert.equal(await bench.statusOf("a"), "ready");
    assert.deepEqual(
      resumed.journal.map(({ seq, kind, key, value, attempt }) => [seq, kind, key, value, attempt]),
      [
        [1, "step", "step-1", '"result 1"', 1],
        [2, "pause", stop.id, '{"by":"Ana"}', 1],
        [3, "resume", go.id, '{"by":"Bo"}', 1],
      ],
    );
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "S4: an entry of `pause` is never before the ones that are there": async (bench) => {
    const worker = await bench.join();
    const ahead = entry(1, { at: FAR_AWAY });
    await worker.commit(advance(await worker.bear("a"), { entries: [ahead], then: park(0) }));
    await bench.commit(pause("a"), resume("a"));
    assert.ok((await bench.read("a")).journal.every(({ at }) => at >= FAR_AWAY));
  },

  "S9: a run that was never claimed begins when it was to begin": async (bench) => {
    await bench.commit(start("later", { due: { at: FAR_AWAY } }), start("before", { due: { at: LONG_AGO } }));
    await bench.commit(pause("later"), pause("before"));
    await isPaused(bench, "later");
    await isPaused(bench, "before");
    await bench.commit(resume("later"), resume("before"));
    const dues = await Promise.all(["later", "before"].map(async (id) => (await bench.read(id)).run.dueAt));
    assert.deepEqual(dues, [FAR_AWAY, LONG_AGO]);
  },

  "S9: a cancel forgets when it was to begin": async (bench) => {
    await bench.commit(start("a", { due: { at: FAR_AWAY } }), pause("a"), cancel("a", "stop"));
    const worker = await bench.join();
    assert.deepEqual(await worker.claimIds(), ["a"]);
    await worker.commit(advance({ runId: "a", attempt: 1 }, { then: stick() }));
    await bench.commit(resume("a"));
    const { run, now } = await bench.read("a");
    assert.ok(run.dueAt !== null && run.dueAt <= now, "due now");
  },

  "S9: any other is due when it is resumed, whatever it waited for": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { then: park(0, { dueAt: FAR_AWAY }) }));
    await bench.commit(pause("a"), resume("a"));
    const { run, now } = await bench.read("a");
    assert.ok(run.dueAt !== null && run.dueAt <= now, "due now");
  },

  "S6: the owner of a run is told of its pause, and of its end": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const [stop, go] = [pause("a", '"lunch"'), resume("a", '"back"')];
    assert.deepEqual(await bench.commit(stop), [{ is: "done" }]);
    const { run: paused, journal } = await bench.read("a");
    assert.deepEqual([paused.owner, paused.paused?.note, paused.inbox], [worker.id, '"lunch"', 1]);
    assert.deepEqual(journal, [], "S4: the owner writes the entry");
    assert.deepEqual(await worker.commit(advance(run, { then: park(0) })), [{ is: "inbox-changed" }]);
    assert.deepEqual(await bench.commit(go), [{ is: "done" }]);
    const { inboxes } = await worker.claim({ limit: 0, inboxes: [{ runId: "a", after: 0 }] });
    assert.deepEqual(
      inboxes[0]?.messages.map(({ type, id, name, payload }) => [type, id, name, payload]),
      [
        ["operator", stop.id, "pause", '"lunch"'],
        ["operator", go.id, "resume", '"back"'],
      ],
    );
    assert.equal((await bench.read("a")).run.paused, null);
    await worker.commit(advance(run, { then: park(2, { dueAt: LONG_AGO }) }));
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "S6: a paused run that is let go is not due, and due when it is resumed": async (bench) => {
    const worker = await bench.join();
    const ways: Readonly<Record<string, Then>> = {
      parked: park(1),
      "parked until then": park(1, { dueAt: LONG_AGO }),
      released: RELEASE,
    };
    for (const [id, then] of Object.entries(ways)) {
      const run = await worker.bear(id);
      await bench.commit(pause(id));
      assert.deepEqual(kinds(await worker.commit(advance(run, { then }))), ["done"]);
      await isPaused(bench, id);
      await bench.commit(resume(id));
      const { run: resumed, now } = await bench.read(id);
      assert.ok(resumed.dueAt !== null && resumed.dueAt <= now, "due now");
      assert.deepEqual(await worker.claimIds(), [id]);
    }
  },

  "S5: nor when its worker leaves or dies": async (bench) => {
    const [leaver, victim] = [await bench.join(), await bench.joinMortal()];
    await leaver.bear("left");
    await victim.bear("dead");
    await bench.commit(pause("left"), pause("dead"));
    await leaver.commit({ kind: "leave" });
    await bench.outlive(victim);
    await isPaused(bench, "left");
    await isPaused(bench, "dead");
    await bench.commit(resume("left"), resume("dead"));
    const { run } = await bench.read("dead");
    assert.deepEqual([run.strikes, run.interrupted], [1, true], "a pause mends nothing");
    assert.deepEqual((await (await bench.join()).claimIds()).toSorted(), ["dead", "left"]);
  },

  "S6: a signal is kept for a paused run and leaves it where it is": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("parked"), { then: park(0) }));
    await bench.commit(start("new"), pause("parked"), pause("new"));
    assert.deepEqual(kinds(await bench.commit(signal("parked", "1"), signal("new", "1"))), ["done", "done"]);
    for (const id of ["parked", "new"]) {
      assert.equal((await bench.read(id)).messages.length, 1);
      await isPaused(bench, id);
    }
  },

  "F119: a cancel ends the pause": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("owned", "parked");
    await worker.commit(advance({ runId: "parked", attempt: 1 }, { then: park(0) }));
    await bench.commit(start("later", { due: { inMs: HOUR_MS } }), start("ready"));
    const all = ["owned", "parked", "later", "ready"];
    await bench.commit(...all.map((id) => pause(id)));
    await bench.commit(...all.map((id) => cancel(id, "1")));
    for (const id of all) assert.equal((await bench.read(id)).run.paused, null, id);
    assert.equal((await bench.read("owned")).run.owner, worker.id);
    assert.deepEqual((await worker.claimIds()).toSorted(), ["later", "parked", "ready"]);
    await worker.commit(advance(run, { then: RELEASE }));
    assert.deepEqual(await worker.claimIds(), ["owned"]);
  },

  "F124: what has ended or is stuck is not paused, and what is not paused not resumed": async (bench) => {
    const worker = await bench.join();
    await worker.bear("completed", "stuck");
    await worker.commit(
      advance({ runId: "completed", attempt: 1 }, { then: end() }),
      advance({ runId: "stuck", attempt: 1 }, { then: stick() }),
    );
    for (const status of ["completed", "stuck"] as const) {
      assert.deepEqual(await bench.commit(pause(status)), [{ is: "wrong-state", status }]);
      const { run, journal, messages } = await bench.read(status);
      assert.deepEqual([run.paused, journal, messages], [null, [], []]);
    }
    assert.deepEqual(await bench.commit(pause("nobody")), [{ is: "not-found" }]);
  },

  "F124: a run that is paused already is left as it is": async (bench) => {
    await bench.commit(start("a"), pause("a", '"first"'));
    assert.deepEqual(await bench.commit(pause("a", '"second"')), [{ is: "done" }]);
    const { run, journal } = await bench.read("a");
    assert.deepEqual([run.paused?.note, journal.length], ['"first"', 1]);
  },

  "S7 F38: an operator whose answer got lost is answered the same, and nothing happens again": async (
    bench,
  ) => {
    const worker = await bench.join();
    await worker.bear("owned");
    await bench.commit(start("free"));
    for (const id of ["owned", "free"]) {
      const [stop, go] = [pause(id), resume(id)];
      const outcomes = await bench.commit(stop, stop, go, go, stop);
      assert.deepEqual(new Set(kinds(outcomes)), new Set(["done"]));
      assert.equal((await bench.read(id)).run.paused, null, "another time needs another wish");
    }
    assert.equal((await bench.read("owned")).run.inbox, 2);
    assert.equal((await bench.read("free")).journal.length, 2);
  },

  "S7: also when the owner took the message": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const stop = pause("a");
    await bench.commit(stop);
    const [message] = (await bench.read("a")).messages;
    const entries = [entry(1, { kind: "pause", key: stop.id })];
    await worker.commit(advance(run, { entries, consume: [[message?.no ?? 0, 1]], then: park(1) }));
    await bench.commit(resume("a"));
    assert.deepEqual(await bench.commit(stop), [{ is: "done" }]);
    assert.equal((await bench.read("a")).run.paused, null);
  },

  "a run that gets stuck while it is paused is resumed from both at once": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(pause("a"));
    await worker.commit(advance(run, { then: stick() }));
    assert.equal(await bench.statusOf("a"), "stuck");
    await bench.commit(resume("a"));
    const { run: resumed } = await bench.read("a");
    assert.deepEqual([resumed.stuck, resumed.paused], [null, null]);
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "S8: a run that ends is paused no more": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    await bench.commit(pause("a"));
    await worker.commit(advance(run, { then: end() }));
    assert.equal((await bench.read("a")).run.paused, null);
    assert.deepEqual(await bench.commit(resume("a")), [{ is: "wrong-state", status: "completed" }]);
  },
};
