/** What a person decided on a run that was read is written only if nothing has become of the run since (S14). */
import assert from "node:assert/strict";
import { type Bench, type Cases, kinds } from "./bench.ts";
import {
  advance,
  end,
  entries,
  entry,
  FAR_AWAY,
  mend,
  park,
  pause,
  RELEASE,
  retry,
  signal,
  start,
  stick,
  written,
} from "./writes.ts";

/** A run that is stuck after a death of its worker, with two entries, two rows and a message. */
async function getStuck(bench: Bench): Promise<void> {
  const victim = await bench.joinMortal();
  await victim.commit(advance(await victim.bear("a"), { entries: entries(1, 2), alone: true }));
  const heir = await bench.outlive(victim);
  const retries = [retry("one", { nextAt: null }), retry("two", { inDoubt: true })];
  await bench.commit(signal("a", "1"));
  await heir.commit(advance(await heir.own("a"), { retries, then: stick() }));
}

/** It changes nothing, and says what the run is. */
async function isRefused(bench: Bench, runId: string, write: ReturnType<typeof mend>): Promise<void> {
  const { now: _, ...before } = await bench.read(runId);
  const status = await bench.statusOf(runId);
  assert.deepEqual(await bench.commit(write), [{ is: "changed", status }]);
  const { now: __, ...after } = await bench.read(runId);
  assert.deepEqual(after, before);
}

export const mending: Cases = {
  "S14: a run that is as it was read is mended, and due": async (bench) => {
    await getStuck(bench);
    const before = await bench.read("a");
    const wrote = [entry(3, { kind: "resolve", key: "op" }), entry(4, { error: '"declined"' })] as const;
    const write = mend(before, {
      entries: wrote,
      retries: [retry("three")],
      settled: ["one", "nothing"],
      version: "2",
    });
    assert.deepEqual(await bench.commit(write), [{ is: "done" }]);
    const { run, journal, messages, retries, now } = await bench.read("a");
    assert.deepEqual(journal, [...before.journal, ...wrote.map((one) => written(one, 2))]);
    assert.deepEqual(retries.map(({ key }) => key).toSorted(), ["three", "two"]);
    assert.deepEqual(messages, before.messages);
    assert.deepEqual(
      [run.stuck, run.strikes, run.strikesAlone, run.interrupted],
      [null, 0, 0, false],
      "a person has looked",
    );
    assert.deepEqual([run.version, run.attempt, run.phase], ["2", 2, "forward"]);
    assert.ok(run.dueAt !== null && run.dueAt <= now, "due now");
    const worker = await bench.join();
    assert.deepEqual(await worker.claimIds(), [], "it is of another version now");
    assert.deepEqual(await worker.claimIds({ workflows: [{ name: "order", version: "2" }] }), ["a"]);
  },

  "S14: a run that is to stay is left where it is": async (bench) => {
    await getStuck(bench);
    await bench.commit(mend(await bench.read("a"), { then: "stay", version: "2" }));
    const { run, journal } = await bench.read("a");
    assert.deepEqual([run.stuck?.code, run.dueAt, run.version], ["BUG", null, "2"]);
    assert.deepEqual([run.strikes, run.interrupted, journal.length], [0, false, 3]);
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("b"), { then: park(0, { dueAt: FAR_AWAY }) }));
    await bench.commit(mend(await bench.read("b"), { then: "stay" }));
    assert.equal((await bench.read("b")).run.dueAt, FAR_AWAY);
  },

  "S14: a run that is due to be mended is paused no more, and does not wait for its time": async (bench) => {
    const worker = await bench.join();
    await worker.bear("parked", "paused");
    await worker.commit(
      advance({ runId: "parked", attempt: 1 }, { then: park(0, { dueAt: FAR_AWAY }) }),
      advance({ runId: "paused", attempt: 1 }, { then: park(0) }),
    );
    await bench.commit(start("later", { due: { at: FAR_AWAY } }), pause("paused"));
    for (const id of ["parked", "paused", "later"]) {
      await bench.commit(mend(await bench.read(id)));
      const { run, now } = await bench.read(id);
      assert.ok(run.paused === null && run.dueAt !== null && run.dueAt <= now, `${id} is due now`);
    }
  },

  "S14: a paused run that is to stay is paused, and begins when it was to begin": async (bench) => {
    await bench.commit(start("a", { due: { at: FAR_AWAY } }), pause("a"));
    await bench.commit(mend(await bench.read("a"), { then: "stay" }));
    assert.deepEqual(await (await bench.join()).claimIds(), []);
    const { run } = await bench.read("a");
    assert.deepEqual([run.paused?.note, run.dueAt], ['"by the bench"', null]);
  },

  "S14: whatever became of the run since it was read, nothing is written": async (bench) => {
    const worker = await bench.join();
    await worker.commit(advance(await worker.bear("a"), { entries: [entry(1)], then: RELEASE }));
    const first = mend(await bench.read("a"));
    const run = await worker.own("a");
    await isRefused(bench, "a", first);
    await isRefused(bench, "a", mend(await bench.read("a")));
    await worker.commit(advance(run, { then: RELEASE }));
    await isRefused(bench, "a", first);
    const second = mend(await bench.read("a"));
    await bench.commit(pause("a"));
    await isRefused(bench, "a", second);
    assert.deepEqual(kinds(await bench.commit(mend(await bench.read("a")))), ["done"]);
  },

  "S8 S14: a run that has ended is left as it is, unless it is to go on": async (bench) => {
    const worker = await bench.join();
    for (const status of ["completed", "failed", "canceled"] as const) {
      const run = await worker.bear(status);
      await worker.commit(
        advance(run, { entries: [entry(1)], then: end(status, { result: "1", error: "2" }) }),
      );
      const before = await bench.read(status);
      await isRefused(bench, status, mend(before));
      await bench.commit(mend(before, { phase: "forward" }));
      const { run: again, now } = await bench.read(status);
      assert.deepEqual(
        [again.phase, again.end, again.result, again.error, again.endedAt],
        ["forward", null, null, null, null],
      );
      assert.ok(again.dueAt !== null && again.dueAt <= now, "due now");
      const { runId, attempt } = await worker.own(status);
      assert.equal(attempt, 2);
      await worker.commit(advance({ runId, attempt }, { entries: [entry(3)], then: end() }));
      assert.equal(await bench.statusOf(status), "completed");
    }
  },

  "P1: a run that was being undone goes forward again only if that is said": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a", "b");
    const then = stick({ code: "UNDO_FAILED" });
    for (const runId of ["a", "b"])
      await worker.commit(advance({ runId, attempt: 1 }, { phase: "compensating", then }));
    await bench.commit(mend(await bench.read("a")), mend(await bench.read("b"), { phase: "forward" }));
    const phases = await Promise.all(["a", "b"].map(async (id) => (await bench.read(id)).run.phase));
    assert.deepEqual(phases, ["compensating", "forward"]);
  },

  "S14: all rows can be forgotten at once, before others are written": async (bench) => {
    await getStuck(bench);
    await bench.commit(mend(await bench.read("a"), { settled: "all", retries: [retry("one")] }));
    assert.deepEqual((await bench.read("a")).retries, [retry("one")]);
    await bench.commit(mend(await bench.read("a"), { settled: "all" }));
    assert.deepEqual((await bench.read("a")).retries, []);
  },

  "S7 F38: a repair whose answer got lost is answered the same, and done once": async (bench) => {
    await getStuck(bench);
    const write = mend(await bench.read("a"));
    assert.deepEqual(await bench.commit(write, write), [{ is: "done" }, { is: "done" }]);
    const worker = await bench.join();
    const run = await worker.own("a");
    assert.deepEqual(await bench.commit(write), [{ is: "done" }]);
    await worker.commit(advance(run, { then: end() }));
    assert.deepEqual(await bench.commit(write), [{ is: "done" }]);
    assert.deepEqual([(await bench.read("a")).journal.length, await bench.statusOf("a")], [3, "completed"]);
  },

  "S4: what does not continue the journal is refused": async (bench) => {
    await getStuck(bench);
    const before = await bench.read("a");
    for (const seq of [1, 2, 4]) {
      const gap = mend(before, { entries: [entry(seq, { kind: "reset", key: `op-${seq}` })] });
      assert.deepEqual(kinds(await bench.commit(gap)), ["refused"]);
    }
    assert.deepEqual((await bench.read("a")).journal, before.journal);
    const nobody = mend({ ...before, run: { ...before.run, id: "nobody" } });
    assert.deepEqual(await bench.commit(nobody), [{ is: "not-found" }]);
  },

  "F124: of twenty people who mend a run at once, one does": async (bench) => {
    const second = await bench.second();
    await getStuck(bench);
    const before = await bench.read("a");
    const tried = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? bench.store : second).commit({ writes: [mend(before)] }),
    );
    const outcomes = kinds((await Promise.all(tried)).flat());
    assert.equal(outcomes.filter((is) => is === "done").length, 1);
    assert.equal(outcomes.filter((is) => is === "changed").length, 19);
    assert.equal((await bench.read("a")).journal.length, 3);
  },
};
