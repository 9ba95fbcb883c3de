/** Runs that come with their history: from elsewhere, or forked from one here. */
import assert from "node:assert/strict";
import type { Claim, ImportWrite, RunDetails, RunFilter } from "../../store.ts";
import { type Cases, kinds } from "./bench.ts";
import {
  advance,
  end,
  entries,
  entry,
  FAR_AWAY,
  importing,
  LONG_AGO,
  ORDER,
  park,
  retry,
  signal,
  start,
  written,
} from "./writes.ts";

/** A run as it was read, under another id. */
function copyOf({ run, journal, messages, retries }: RunDetails, id: string): ImportWrite {
  return { kind: "import", run: { ...run, id }, inputHash: "h", journal, messages, retries, awaits: [] };
}

/** What a copy has in common with the original. */
function plain({ run, journal, messages, retries }: Claim): unknown {
  const { id: _, owner: __, dueAt: ___, waits: ____, strikes: _____, ...rest } = run;
  return { run: { ...rest, tags: { ...rest.tags } }, journal, messages, retries };
}

export const imports: Cases = {
  "a run that has ended is read as it was": async (bench) => {
    const worker = await bench.join();
    await worker.commit(start("a", { claim: true, tags: { city: "Porto" }, priority: 2, timeoutMs: 5 }));
    await worker.commit(
      advance({ runId: "a", attempt: 1 }, { entries: entries(1, 3), then: end("failed", { error: '"no"' }) }),
    );
    const original = await bench.read("a");
    assert.deepEqual(await bench.commit(copyOf(original, "b")), [{ is: "done" }]);
    const copy = await bench.read("b");
    assert.deepEqual(plain(copy), plain(original));
    assert.deepEqual([await bench.statusOf("b"), copy.run.dueAt], ["failed", null]);
    assert.equal(await bench.store.count({ tag: { city: "Porto" } }), 2);
    assert.deepEqual(await worker.claimIds(), []);
  },

  "S4: a run that has not ended is due, and goes on after its last entry": async (bench) => {
    const journal = [written(entry(1)), written(entry(2, { error: '"no"' }), 3), written(entry(3), 4)];
    const parent = { runId: "elsewhere", key: "pay", called: true };
    const given = { attempt: 4, parent, event: "event e", raw: true, phase: "compensating" } as const;
    const write = importing("a", { run: given, journal, retries: [retry("x")] });
    assert.deepEqual(await bench.commit(write), [{ is: "done" }]);
    const { run, now } = await bench.read("a");
    assert.deepEqual([run.parent, run.event, run.raw, run.phase], [parent, "event e", true, "compensating"]);
    assert.deepEqual([run.createdAt, run.startedAt], [LONG_AGO, LONG_AGO + 1]);
    assert.ok(run.owner === null && run.dueAt !== null && run.dueAt <= now, "due now");
    const worker = await bench.join();
    const [claim] = (await worker.claim()).claims;
    assert.deepEqual([claim?.run.attempt, claim?.journal, claim?.retries], [5, journal, [retry("x")]]);
    const outcomes = await worker.commit(advance({ runId: "a", attempt: 5 }, { entries: [entry(4)] }));
    assert.deepEqual(kinds(outcomes), ["done"]);
  },

  "a run that was stuck or paused is so still": async (bench) => {
    const paused = { at: LONG_AGO, note: '"lunch"' };
    const stuck = { code: "BUG", message: '"a bug"', at: LONG_AGO };
    await bench.commit(importing("paused", { run: { paused } }), importing("stuck", { run: { stuck } }));
    const [one, two] = [await bench.read("paused"), await bench.read("stuck")];
    assert.deepEqual([one.run.paused, one.run.dueAt], [paused, null]);
    assert.deepEqual([two.run.stuck, two.run.dueAt], [stuck, null]);
    assert.deepEqual(await (await bench.join()).claimIds(), []);
  },

  "F38: an id that is taken, also by the same, is a conflict": async (bench) => {
    await bench.commit(start("a", { workflow: "refund" }));
    const before = await bench.read("a");
    const outcomes = await bench.commit(importing("a"), importing("b"), importing("b"), start("b"));
    assert.deepEqual(outcomes, [
      { is: "conflict", workflow: "refund" },
      { is: "done" },
      { is: "conflict", workflow: ORDER.name },
      { is: "exists" },
    ]);
    assert.deepEqual((await bench.read("a")).run, before.run);
    assert.deepEqual(await bench.commit(start("b", { input: "2" })), [
      { is: "conflict", workflow: ORDER.name },
    ]);
  },

  "S4: a journal with gaps is refused": async (bench) => {
    const gap = importing("a", { journal: [written(entry(1)), written(entry(3))] });
    const late = importing("b", { journal: [written(entry(2))] });
    assert.deepEqual(kinds(await bench.commit(gap, late, importing("c"))), ["refused", "refused", "done"]);
    assert.equal(await bench.store.count({}), 1);
  },

  "S6 S7: messages are numbered anew, and their ids stay taken": async (bench) => {
    const sent = [
      { type: "signal", id: "s", name: "paid", payload: "1", at: LONG_AGO + 5 },
      { type: "child", id: "c", name: "call", payload: '{"status":"completed"}', at: LONG_AGO + 6 },
    ] as const;
    await bench.commit(importing("a", { messages: sent }));
    const { run, messages } = await bench.read("a");
    assert.equal(run.inbox, 2);
    assert.deepEqual(
      messages.map(({ type, id, name, payload, at }) => ({ type, id, name, payload, at })),
      sent,
    );
    assert.deepEqual(kinds(await bench.commit(signal("a", "s"), signal("a", "t"))), ["duplicate", "done"]);
    const worker = await bench.join();
    const own = await worker.own("a");
    assert.deepEqual(kinds(await worker.commit(advance(own, { then: park(2) }))), ["inbox-changed"]);
    const consume = messages.map(({ no }, index) => [no, index + 1] as const);
    await worker.commit(advance(own, { entries: entries(1, 2, "signal"), consume }));
    assert.deepEqual(
      (await bench.read("a")).messages.map(({ id }) => id),
      ["t"],
    );
  },

  "S12: it waits for what it called and is here, at once for what has ended": async (bench) => {
    const worker = await bench.join();
    await worker.bear("over", "alive");
    await worker.commit(advance({ runId: "over", attempt: 1 }, { then: end("canceled") }));
    const awaits = ["over", "alive", "nowhere"].map((runId) => ({ runId, key: `call ${runId}` }));
    await bench.commit(importing("a", { awaits }));
    const named = async () => (await bench.read("a")).messages.map(({ type, id, name }) => [type, id, name]);
    assert.deepEqual(await named(), [["child", "over", "call over"]]);
    await worker.commit(advance({ runId: "alive", attempt: 1 }, { then: end() }));
    assert.deepEqual(await named(), [
      ["child", "over", "call over"],
      ["child", "alive", "call alive"],
    ]);
    assert.equal((await bench.read("a")).run.inbox, 2);
  },

  "S9: a run is found by when it was created, wherever it was": async (bench) => {
    await bench.commit(start("new"), importing("old"));
    await bench.commit(importing("future", { run: { createdAt: FAR_AWAY } }));
    const found = async (filter: RunFilter): Promise<string[]> =>
      (await bench.store.list(filter, { limit: 9 })).runs.map(({ id }) => id).toSorted();
    assert.deepEqual(await found({}), ["future", "new", "old"]);
    assert.deepEqual(await found({ until: LONG_AGO + 1 }), ["old"]);
    assert.deepEqual(await found({ since: FAR_AWAY }), ["future"]);
  },
};
